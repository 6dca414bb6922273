-- Sequence numbers are taken before a commit, and commits overtake each other: whoever reads the
-- events by number alone skips those that were late. With the transaction's id in the row, everything
-- below the oldest transaction that is still running is complete, and stays as it is.
ALTER TABLE "audit_events"
  ADD COLUMN "txid" BIGINT NOT NULL DEFAULT ((pg_current_xact_id())::text)::bigint;

-- CreateIndex
CREATE INDEX "audit_events_txid_seq_idx" ON "audit_events"("txid", "seq");

-- CreateTable
CREATE TABLE "webhook_cursors" (
    "name" TEXT NOT NULL,
    "txid" BIGINT NOT NULL,
    "seq" BIGINT NOT NULL,
    "claim" INTEGER NOT NULL DEFAULT 0,
    "claimed_until" TIMESTAMPTZ(3),
    "due_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "failures" INTEGER NOT NULL DEFAULT 0,
    "failing_since" TIMESTAMPTZ(3),
    "note" TEXT,

    CONSTRAINT "webhook_cursors_pkey" PRIMARY KEY ("name")
);
