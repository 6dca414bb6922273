-- A freeze selects as a containment does: by any fields of a lease, all of which must match.
ALTER TABLE "freezes" ADD COLUMN "selector" JSONB,
  ADD COLUMN "created_by" TEXT,
  ADD COLUMN "lifted_by" TEXT,
  ADD COLUMN "lift_reason" TEXT;

UPDATE "freezes" SET
  "selector" = CASE "scope" WHEN 'everything' THEN '{"everything": true}'
    ELSE jsonb_build_object("scope", "value") END,
  "created_by" = 'unknown',
  "lifted_by" = CASE WHEN "lifted_at" IS NOT NULL THEN 'unknown' END,
  "lift_reason" = CASE WHEN "lifted_at" IS NOT NULL THEN 'unknown' END;

ALTER TABLE "freezes" DROP COLUMN "scope", DROP COLUMN "value",
  ALTER COLUMN "selector" SET NOT NULL,
  ALTER COLUMN "created_by" SET NOT NULL;

-- CreateTable
CREATE TABLE "containments" (
    "id" TEXT NOT NULL,
    "selector" JSONB NOT NULL,
    "reason" TEXT NOT NULL,
    "incident" TEXT NOT NULL,
    "freeze_id" TEXT NOT NULL,
    "started_by" TEXT NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "collected_at" TIMESTAMPTZ(3),
    "cancelled_at" TIMESTAMPTZ(3),
    "cancelled_by" TEXT,
    "cancel_reason" TEXT,
    "idempotency_key" TEXT,
    "request_sha256" TEXT,

    CONSTRAINT "containments_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "contained_leases" (
    "containment_id" TEXT NOT NULL,
    "lease_id" TEXT NOT NULL,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "contained_leases_pkey" PRIMARY KEY ("containment_id","lease_id")
);

-- CreateIndex
CREATE UNIQUE INDEX "containments_freeze_id_key" ON "containments"("freeze_id");

-- CreateIndex
CREATE UNIQUE INDEX "containments_started_by_idempotency_key_key" ON "containments"("started_by", "idempotency_key");

-- CreateIndex
CREATE INDEX "contained_leases_containment_id_idx" ON "contained_leases"("containment_id") WHERE (ended_at IS NULL);

-- AddForeignKey
ALTER TABLE "containments" ADD CONSTRAINT "containments_freeze_id_fkey" FOREIGN KEY ("freeze_id") REFERENCES "freezes"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "contained_leases" ADD CONSTRAINT "contained_leases_containment_id_fkey" FOREIGN KEY ("containment_id") REFERENCES "containments"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- A lease can end because of a containment. The reasons that are there already are kept, whichever
-- migrations added them.
DO $$
DECLARE
  _reasons text;
BEGIN
  SELECT string_agg(DISTINCT quote_literal(listed[1]), ', ') INTO _reasons
    FROM pg_constraint,
      regexp_matches(pg_get_constraintdef(oid), '''([a-z_]+)''::text', 'g') AS listed
    WHERE conrelid = 'leases'::regclass AND conname = 'leases_end_reason_check';
  EXECUTE 'ALTER TABLE leases DROP CONSTRAINT leases_end_reason_check, '
    || 'ADD CONSTRAINT leases_end_reason_check CHECK (end_reason IN (' || _reasons || ', ''containment''))';
END $$;
