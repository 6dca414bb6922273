-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateTable
CREATE TABLE "tasks" (
    "id" TEXT NOT NULL,
    "agent" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "claims" JSONB NOT NULL,
    "intent" JSONB NOT NULL,
    "declarations" JSONB NOT NULL,
    "opened_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "not_after" TIMESTAMPTZ(3) NOT NULL,
    "closed_at" TIMESTAMPTZ(3),
    "close_reason" TEXT,

    CONSTRAINT "tasks_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "token_uses" (
    "issuer" TEXT NOT NULL,
    "token_id" TEXT NOT NULL,
    "task_id" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "token_uses_pkey" PRIMARY KEY ("issuer","token_id")
);

-- CreateTable
CREATE TABLE "decisions" (
    "id" TEXT NOT NULL,
    "task_id" TEXT NOT NULL,
    "allowed" BOOLEAN NOT NULL,
    "template" TEXT NOT NULL,
    "template_version" INTEGER,
    "policy_set_version" INTEGER NOT NULL,
    "policy_digest" TEXT NOT NULL,
    "actions" TEXT[],
    "parameters" JSONB NOT NULL,
    "policies" TEXT[],
    "ttl_seconds" INTEGER,
    "scope" JSONB,
    "explanation" JSONB,
    "decided_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "decisions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "leases" (
    "id" TEXT NOT NULL,
    "task_id" TEXT NOT NULL,
    "agent" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "environment" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "connection" TEXT NOT NULL,
    "template" TEXT NOT NULL,
    "template_version" INTEGER NOT NULL,
    "policy_set_version" INTEGER NOT NULL,
    "decision_id" TEXT NOT NULL,
    "actions" TEXT[],
    "parameters" JSONB NOT NULL,
    "scope" JSONB NOT NULL,
    "targets" TEXT[],
    "requested_ttl_seconds" INTEGER NOT NULL,
    "state" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "credential_expires_at" TIMESTAMPTZ(3) NOT NULL,
    "delivered_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),
    "end_reason" TEXT,
    "revoked_at" TIMESTAMPTZ(3),
    "revocation_proof" TEXT,
    "revocation_attempts" INTEGER NOT NULL DEFAULT 0,
    "revocation_note" TEXT,
    "irrevocable_reason" TEXT,
    "irrevocable_dies_at" TIMESTAMPTZ(3),
    "due_at" TIMESTAMPTZ(3),
    "claimed_at" TIMESTAMPTZ(3),
    "sent_at" TIMESTAMPTZ(3),
    "sealed_handle" BYTEA,
    "handle_key_id" TEXT,
    "fingerprints" TEXT[] DEFAULT ARRAY[]::TEXT[],

    CONSTRAINT "leases_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "idempotency_keys" (
    "scope" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "request_sha256" TEXT NOT NULL,
    "task_id" TEXT,
    "lease_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY ("scope","key")
);

-- CreateTable
CREATE TABLE "audit_events" (
    "seq" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "type" TEXT NOT NULL,
    "subject" TEXT,
    "agent" TEXT,
    "task_id" TEXT,
    "lease_id" TEXT,
    "decision_id" TEXT,
    "data" JSONB NOT NULL,

    CONSTRAINT "audit_events_pkey" PRIMARY KEY ("seq")
);

-- CreateTable
CREATE TABLE "policy_sets" (
    "version" INTEGER NOT NULL,
    "digest" TEXT NOT NULL,
    "resources" JSONB NOT NULL,
    "applied_by" TEXT NOT NULL,
    "applied_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "policy_sets_pkey" PRIMARY KEY ("version")
);

-- CreateTable
CREATE TABLE "freezes" (
    "id" TEXT NOT NULL,
    "scope" TEXT NOT NULL,
    "value" TEXT,
    "reason" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),
    "lifted_at" TIMESTAMPTZ(3),

    CONSTRAINT "freezes_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "signing_keys" (
    "kid" TEXT NOT NULL,
    "sealed_jwk" BYTEA NOT NULL,
    "seal_key_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "signing_keys_pkey" PRIMARY KEY ("kid")
);

-- CreateIndex
CREATE INDEX "tasks_not_after_idx" ON "tasks"("not_after") WHERE (closed_at IS NULL);

-- CreateIndex
CREATE INDEX "token_uses_expires_at_idx" ON "token_uses"("expires_at");

-- CreateIndex
CREATE INDEX "token_uses_task_id_idx" ON "token_uses"("task_id");

-- CreateIndex
CREATE INDEX "decisions_task_id_idx" ON "decisions"("task_id");

-- CreateIndex
CREATE INDEX "leases_due_at_idx" ON "leases"("due_at") WHERE (due_at IS NOT NULL);

-- CreateIndex
CREATE INDEX "leases_task_id_idx" ON "leases"("task_id");

-- CreateIndex
CREATE INDEX "leases_targets_idx" ON "leases" USING GIN ("targets") WHERE (state IN ('pending', 'active', 'revoking', 'revocation_failed'));

-- CreateIndex
CREATE INDEX "leases_credential_expires_at_idx" ON "leases"("credential_expires_at") WHERE (provider = 'aws');

-- CreateIndex
CREATE INDEX "leases_fingerprints_idx" ON "leases" USING GIN ("fingerprints");

-- CreateIndex
CREATE INDEX "leases_template_agent_created_at_idx" ON "leases"("template", "agent", "created_at");

-- CreateIndex
CREATE INDEX "idempotency_keys_created_at_idx" ON "idempotency_keys"("created_at");

-- CreateIndex
CREATE INDEX "audit_events_lease_id_idx" ON "audit_events"("lease_id");

-- CreateIndex
CREATE INDEX "audit_events_task_id_idx" ON "audit_events"("task_id");

-- CreateIndex
CREATE INDEX "audit_events_at_idx" ON "audit_events" USING BRIN ("at");

-- AddForeignKey
ALTER TABLE "token_uses" ADD CONSTRAINT "token_uses_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "tasks"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "tasks"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "leases" ADD CONSTRAINT "leases_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "tasks"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

