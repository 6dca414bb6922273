-- What no code path may break, whoever writes to these tables.

ALTER TABLE leases
  ADD CONSTRAINT leases_state_check CHECK (state IN
    ('pending', 'active', 'revoking', 'revocation_failed', 'failed', 'revoked', 'expired')),
  ADD CONSTRAINT leases_provider_check CHECK (provider IN ('github', 'aws', 'vault')),
  ADD CONSTRAINT leases_end_reason_check CHECK (end_reason IN
    ('lease_ended', 'holder', 'task_closed', 'undelivered', 'mint_unconfirmed', 'overbroad', 'operator')),
  ADD CONSTRAINT leases_ended_check CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
  ADD CONSTRAINT leases_irrevocable_check
    CHECK ((irrevocable_reason IS NULL) = (irrevocable_dies_at IS NULL)),
  ADD CONSTRAINT leases_sealed_check CHECK ((sealed_handle IS NULL) = (handle_key_id IS NULL)),
  -- A lease that may be live is always due at some time; a dead one never is, and keeps no secret.
  ADD CONSTRAINT leases_terminal_check CHECK (CASE
    WHEN state IN ('failed', 'revoked', 'expired') THEN due_at IS NULL AND sealed_handle IS NULL
    ELSE due_at IS NOT NULL END),
  ADD CONSTRAINT leases_revoked_check
    CHECK (state <> 'revoked' OR (revoked_at IS NOT NULL AND revocation_proof IS NOT NULL));

ALTER TABLE tasks
  ADD CONSTRAINT tasks_close_reason_check CHECK (close_reason IN ('holder', 'overdue', 'operator')),
  ADD CONSTRAINT tasks_closed_check CHECK ((closed_at IS NULL) = (close_reason IS NULL));

ALTER TABLE decisions
  ADD CONSTRAINT decisions_allowed_check CHECK (CASE
    WHEN allowed THEN scope IS NOT NULL AND ttl_seconds IS NOT NULL AND explanation IS NULL
    ELSE explanation IS NOT NULL END);

ALTER TABLE freezes
  ADD CONSTRAINT freezes_scope_check CHECK (scope IN ('everything', 'template', 'agent', 'provider')),
  ADD CONSTRAINT freezes_value_check CHECK ((scope = 'everything') = (value IS NULL));

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is not allowed', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER leases_are_kept BEFORE DELETE OR TRUNCATE ON leases
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER decisions_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON decisions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_events_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER policy_sets_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON policy_sets
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Whoever changes a freeze holds the gate until it commits. open_lease passes the gate (shared)
-- before the statement that reads the freezes, so a lease is either stored before the freeze is, and
-- a containment finds it, or it sees the freeze.
CREATE FUNCTION hold_freeze_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(19782, 0);
  RETURN NULL;
END $$;

CREATE TRIGGER freezes_hold_the_gate BEFORE INSERT OR UPDATE OR DELETE ON freezes
  FOR EACH STATEMENT EXECUTE FUNCTION hold_freeze_gate();
