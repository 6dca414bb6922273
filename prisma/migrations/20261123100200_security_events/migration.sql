-- CreateTable
CREATE TABLE "security_events" (
    "issuer" TEXT NOT NULL,
    "jti" TEXT NOT NULL,
    "event" TEXT NOT NULL,
    "subject" TEXT,
    "occurred_at" TIMESTAMPTZ(3) NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "keep_until" TIMESTAMPTZ(3) NOT NULL,
    "outcome" TEXT,

    CONSTRAINT "security_events_pkey" PRIMARY KEY ("issuer","jti")
);

-- CreateIndex
CREATE INDEX "security_events_subject_idx" ON "security_events"("subject");
