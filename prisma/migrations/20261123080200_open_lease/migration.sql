-- Commits the intent to mint in one round trip. Every statement of a volatile function sees what was
-- committed before that statement began, so a check that follows a lock sees what the lock waited for.
--
-- Returns `opened` and the instants, or the code of the refusal, which is audited.
CREATE FUNCTION open_lease(
  intent jsonb,
  sealed bytea,
  OUT outcome text,
  OUT opened_at timestamptz,
  OUT ends_at timestamptz,
  OUT dies_at timestamptz,
  OUT detail text
) LANGUAGE plpgsql AS $$
DECLARE
  _agent text := intent ->> 'agent';
  _task text := intent ->> 'taskId';
  _template text := intent ->> 'template';
BEGIN
  PERFORM pg_advisory_xact_lock_shared(19782, 0);

  -- Closing a task updates its row first and ends its leases in a later statement: either we wait
  -- here and then find it closed, or it waits for us and then finds this lease.
  PERFORM FROM tasks
    WHERE id = _task AND closed_at IS NULL AND not_after > clock_timestamp() FOR SHARE;
  outcome := CASE
    WHEN FOUND THEN NULL
    WHEN EXISTS (SELECT FROM tasks WHERE id = _task) THEN 'task_closed'
    ELSE 'task_unknown' END;

  IF outcome IS NULL AND intent ? 'idempotencyKey' THEN
    PERFORM pg_advisory_xact_lock(19783, hashtext(_task || ' ' || (intent ->> 'idempotencyKey')));
    -- A lease that failed minted nothing: its key may be used again.
    SELECT CASE WHEN k.request_sha256 <> intent ->> 'requestSha256' THEN 'idempotency_conflict'
                WHEN l.state <> 'failed' THEN 'credential_already_delivered' END, l.id
      INTO outcome, detail
      FROM idempotency_keys k JOIN leases l ON l.id = k.lease_id
      WHERE k.scope = _task AND k.key = intent ->> 'idempotencyKey';
  END IF;

  IF outcome IS NULL THEN
    SELECT 'frozen', id INTO outcome, detail FROM freezes
      WHERE lifted_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
        AND (scope = 'everything'
          OR scope = 'template' AND value = _template
          OR scope = 'agent' AND value = _agent
          OR scope = 'provider' AND value = intent ->> 'provider')
      LIMIT 1;
  END IF;

  IF outcome IS NULL AND intent ? 'liveLeasesPerTask' THEN
    PERFORM pg_advisory_xact_lock(19784, hashtext(_task || ' ' || _template));
    IF (intent ->> 'liveLeasesPerTask')::int <= (
      SELECT count(*) FROM leases l
        WHERE l.task_id = _task AND l.template = _template
          AND l.state IN ('pending', 'active', 'revoking', 'revocation_failed')
          AND l.credential_expires_at > clock_timestamp())
    THEN outcome := 'limit_reached'; detail := 'liveLeasesPerTask'; END IF;
  END IF;

  IF outcome IS NULL AND intent ? 'mintsPerHour' THEN
    PERFORM pg_advisory_xact_lock(19785, hashtext(_template || ' ' || _agent));
    IF (intent ->> 'mintsPerHour')::int <= (
      SELECT count(*) FROM leases l
        WHERE l.template = _template AND l.agent = _agent AND l.state <> 'failed'
          AND l.created_at > clock_timestamp() - interval '1 hour')
    THEN outcome := 'limit_reached'; detail := 'mintsPerHour'; END IF;
  END IF;

  IF outcome IS NOT NULL THEN
    INSERT INTO audit_events (type, subject, agent, task_id, data)
      VALUES ('decision.denied', intent ->> 'subject', _agent, _task, jsonb_build_object(
        'code', outcome, 'detail', detail, 'decisionId', intent ->> 'decisionId',
        'template', _template, 'actions', intent -> 'actions', 'parameters', intent -> 'parameters'));
    RETURN;
  END IF;

  outcome := 'opened';
  opened_at := date_trunc('milliseconds', clock_timestamp());
  ends_at := opened_at + make_interval(secs => (intent ->> 'ttlSeconds')::float8);
  -- The provider may be called as late as the mint deadline, and the credential's life starts there.
  dies_at := opened_at + make_interval(
    secs => (intent ->> 'lifetimeSeconds')::float8 + (intent ->> 'mintDeadlineSeconds')::float8);

  WITH d AS MATERIALIZED (
    SELECT * FROM jsonb_to_record(intent) AS d (
      "leaseId" text, "decisionId" text, owner text, environment text, subject text, provider text,
      connection text, "templateVersion" int, "policySetVersion" int, "policyDigest" text,
      actions text[], parameters jsonb, policies text[], scope jsonb, targets text[],
      "ttlSeconds" int, "requestedTtlSeconds" int, "mintDeadlineSeconds" float8,
      "handleKeyId" text, "idempotencyKey" text, "requestSha256" text)
  ), decision AS (
    INSERT INTO decisions (id, task_id, allowed, template, template_version, policy_set_version,
        policy_digest, actions, parameters, policies, ttl_seconds, scope, decided_at)
      SELECT "decisionId", _task, true, _template, "templateVersion", "policySetVersion",
        "policyDigest", actions, parameters, policies, "ttlSeconds", scope, opened_at FROM d
  ), lease AS (
    INSERT INTO leases (id, task_id, agent, owner, environment, subject, provider, connection, template,
        template_version, policy_set_version, decision_id, actions, parameters, scope, targets,
        requested_ttl_seconds, state, created_at, expires_at, credential_expires_at, due_at,
        sealed_handle, handle_key_id)
      SELECT "leaseId", _task, _agent, owner, environment, subject, provider, connection, _template,
        "templateVersion", "policySetVersion", "decisionId", actions, parameters, scope, targets,
        "requestedTtlSeconds", 'pending', opened_at, ends_at, dies_at,
        opened_at + make_interval(secs => "mintDeadlineSeconds"), sealed, "handleKeyId" FROM d
  ), idempotency AS (
    INSERT INTO idempotency_keys (scope, key, request_sha256, task_id, lease_id)
      SELECT _task, "idempotencyKey", "requestSha256", _task, "leaseId" FROM d
        WHERE "idempotencyKey" IS NOT NULL
      ON CONFLICT (scope, key) DO UPDATE SET lease_id = excluded.lease_id
  )
  INSERT INTO audit_events (at, type, subject, agent, task_id, lease_id, decision_id, data)
    SELECT opened_at, 'lease.pending', subject, _agent, _task, "leaseId", "decisionId",
      jsonb_build_object('template', _template, 'actions', actions, 'targets', targets,
        'ttlSeconds', "ttlSeconds") FROM d;
END $$;
