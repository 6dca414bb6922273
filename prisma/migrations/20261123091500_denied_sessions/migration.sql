-- Where AWS sessions are denied, and since when: what one worker wrote for all, the others read here.
CREATE TABLE "denied_sessions" (
    "lease_id" TEXT NOT NULL,
    "policy" TEXT NOT NULL,
    "since" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "cut_off" TIMESTAMPTZ(3),

    CONSTRAINT "denied_sessions_pkey" PRIMARY KEY ("lease_id")
);

ALTER TABLE "denied_sessions" ADD CONSTRAINT "denied_sessions_lease_id_fkey" FOREIGN KEY ("lease_id") REFERENCES "leases"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE leases DROP CONSTRAINT leases_end_reason_check;
ALTER TABLE leases ADD CONSTRAINT leases_end_reason_check CHECK (end_reason IN
  ('lease_ended', 'holder', 'task_closed', 'undelivered', 'mint_unconfirmed', 'overbroad', 'operator',
   'role_revoked'));
