-- What a selector means, said once: the freeze check of a mint, the collection of a containment and
-- its preview all ask these functions.

-- GitHub's levels include each other: who can write can read.
CREATE FUNCTION permission_targets(permission text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT array_agg('github:permission:' || split_part(permission, ':', 1) || ':' || level)
    FROM unnest(ARRAY['read', 'write', 'admin']) WITH ORDINALITY AS levels (level, rank)
    WHERE rank >= array_position(ARRAY['read', 'write', 'admin'], split_part(permission, ':', 2))
$$;

-- The path itself, what is below it, and every lease on a prefix (`kv/data/app/*`) that covers it.
CREATE FUNCTION reaches_vault_path(targets text[], path text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT EXISTS (
    SELECT FROM unnest(targets) AS target
      WHERE target = 'vault:path:' || path
        OR starts_with(target, 'vault:path:' || path || '/')
        OR right(target, 2) = '/*' AND starts_with('vault:path:' || path, left(target, -1)))
$$;

-- One expression without a subquery, so that PostgreSQL puts it in place of the call: with a selector
-- that is known when the query is planned, what is left are the comparisons that it asks for, and
-- indexes serve them.
CREATE FUNCTION selector_matches(s jsonb, l leases) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT (NOT s ? 'lease' OR l.id = s ->> 'lease')
    AND (NOT s ? 'task' OR l.task_id = s ->> 'task')
    AND (NOT s ? 'agent' OR l.agent = s ->> 'agent')
    AND (NOT s ? 'subject' OR l.subject = s ->> 'subject')
    AND (NOT s ? 'owner' OR l.owner = s ->> 'owner')
    AND (NOT s ? 'environment' OR l.environment = s ->> 'environment')
    AND (NOT s ? 'issuer' OR starts_with(l.subject, (s ->> 'issuer') || '#'))
    AND (NOT s ? 'template' OR l.template = s ->> 'template')
    AND (NOT s ? 'templateVersion' OR l.template_version = (s ->> 'templateVersion')::int)
    AND (NOT s ? 'provider' OR l.provider = s ->> 'provider')
    AND (NOT s ? 'repository' OR l.targets
      && ARRAY['github:repo:' || (s ->> 'repository'), 'resource:repo:' || (s ->> 'repository')])
    AND (NOT s ? 'organisation' OR l.targets @> ARRAY['github:org:' || (s ->> 'organisation')])
    AND (NOT s ? 'permission' OR l.targets && permission_targets(s ->> 'permission'))
    AND (NOT s ? 'awsAccount' OR l.targets @> ARRAY['aws:account:' || (s ->> 'awsAccount')])
    AND (NOT s ? 'awsRole' OR l.targets @> ARRAY['aws:role:' || (s ->> 'awsRole')])
    AND (NOT s ? 'vaultPath' OR reaches_vault_path(l.targets, s ->> 'vaultPath'))
    AND (NOT s ? 'createdAfter' OR l.created_at >= (s ->> 'createdAfter')::timestamptz)
    AND (NOT s ? 'createdBefore' OR l.created_at < (s ->> 'createdBefore')::timestamptz)
$$;

-- A selector that says nothing, or something that the function above does not know, would select
-- everything.
CREATE FUNCTION is_selector(s jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_typeof(s) = 'object' AND s <> '{}'
    AND NOT jsonb_path_exists(s, '$.* ? (@ == null)')
    AND (s = '{"everything": true}' OR s - ARRAY['lease', 'task', 'agent', 'subject', 'owner',
      'environment', 'issuer', 'template', 'templateVersion', 'provider', 'repository',
      'organisation', 'permission', 'awsAccount', 'awsRole', 'vaultPath', 'createdAfter',
      'createdBefore'] = '{}')
$$;

ALTER TABLE freezes
  ADD CONSTRAINT freezes_selector_check CHECK (is_selector(selector)),
  ADD CONSTRAINT freezes_lifted_check CHECK (
    (lifted_at IS NULL) = (lifted_by IS NULL) AND (lifted_at IS NULL) = (lift_reason IS NULL));

ALTER TABLE containments
  ADD CONSTRAINT containments_selector_check CHECK (is_selector(selector)),
  ADD CONSTRAINT containments_cancelled_check CHECK (
    (cancelled_at IS NULL) = (cancelled_by IS NULL) AND (cancelled_at IS NULL) = (cancel_reason IS NULL)),
  ADD CONSTRAINT containments_key_check CHECK ((idempotency_key IS NULL) = (request_sha256 IS NULL));

CREATE TRIGGER freezes_are_kept BEFORE DELETE OR TRUNCATE ON freezes
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER containments_are_kept BEFORE DELETE OR TRUNCATE ON containments
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER contained_leases_are_kept BEFORE DELETE OR TRUNCATE ON contained_leases
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION any_freeze() RETURNS boolean LANGUAGE sql VOLATILE AS $$
  SELECT EXISTS (SELECT FROM freezes
    WHERE lifted_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp()))
$$;

-- The freeze that stops this lease, if one does. Whoever asks holds the gate (shared).
CREATE FUNCTION freeze_on(lease leases) RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT id FROM freezes
    WHERE lifted_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
      AND selector_matches(selector, lease)
    ORDER BY id LIMIT 1
$$;

-- What a credential reaches is sometimes known only from the provider's answer (a repository's name,
-- where its id was asked for). Then the freezes are asked again, behind the gate again: the lease is
-- either active with its targets before a freeze is stored, or it sees the freeze.
CREATE FUNCTION freeze_on_reached(lease_id text, reached text[]) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  _lease leases;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(19782, 0);
  IF NOT any_freeze() THEN RETURN NULL; END IF;
  SELECT * INTO _lease FROM leases WHERE id = lease_id;
  _lease.targets := _lease.targets || reached;
  RETURN freeze_on(_lease);
END $$;

-- A freeze and the containment that it belongs to, in one commit of a few milliseconds. `started`,
-- `existing`, or the code of the refusal.
CREATE FUNCTION begin_containment(asked jsonb, OUT outcome text, OUT containment_id text)
LANGUAGE plpgsql AS $$
DECLARE
  _found boolean;
  _now timestamptz;
BEGIN
  PERFORM pg_advisory_xact_lock(19782, 0);

  SELECT CASE WHEN c.request_sha256 = asked ->> 'requestSha256' THEN 'existing'
              ELSE 'idempotency_conflict' END, c.id
    INTO outcome, containment_id
    FROM containments c
    WHERE c.started_by = asked ->> 'by' AND c.idempotency_key = asked ->> 'idempotencyKey';
  IF FOUND THEN RETURN; END IF;

  SELECT 'existing', c.id INTO outcome, containment_id
    FROM containments c
    WHERE c.selector = asked -> 'selector' AND c.incident = asked ->> 'incident'
      AND c.cancelled_at IS NULL
      AND (c.collected_at IS NULL OR EXISTS (
        SELECT FROM contained_leases m JOIN leases l ON l.id = m.lease_id
          WHERE m.containment_id = c.id AND l.due_at IS NOT NULL))
    LIMIT 1;
  IF FOUND THEN RETURN; END IF;

  -- Planned anew each time, with the selector known.
  EXECUTE 'SELECT EXISTS (SELECT FROM leases l WHERE l.due_at IS NOT NULL AND selector_matches($1, l))'
    INTO _found USING asked -> 'selector';
  IF NOT _found THEN outcome := 'selector_matches_nothing'; RETURN; END IF;

  _now := clock_timestamp();
  IF (asked ->> 'freezeUntil')::timestamptz <= _now THEN outcome := 'freeze_expiry_invalid'; RETURN; END IF;

  INSERT INTO freezes (id, selector, reason, created_by, created_at, expires_at)
    VALUES (asked ->> 'freezeId', asked -> 'selector', asked ->> 'reason', asked ->> 'by', _now,
      (asked ->> 'freezeUntil')::timestamptz);
  INSERT INTO containments (id, selector, reason, incident, freeze_id, started_by, started_at,
      idempotency_key, request_sha256)
    VALUES (asked ->> 'id', asked -> 'selector', asked ->> 'reason', asked ->> 'incident',
      asked ->> 'freezeId', asked ->> 'by', _now, asked ->> 'idempotencyKey',
      asked ->> 'requestSha256');
  INSERT INTO audit_events (at, type, subject, data) VALUES
    (_now, 'freeze.created', asked ->> 'by', jsonb_strip_nulls(jsonb_build_object(
      'freezeId', asked ->> 'freezeId', 'selector', asked -> 'selector', 'reason', asked ->> 'reason',
      'expiresAt', asked ->> 'freezeUntil', 'containmentId', asked ->> 'id'))),
    (_now, 'containment.started', asked ->> 'by', jsonb_build_object(
      'containmentId', asked ->> 'id', 'selector', asked -> 'selector',
      'reason', asked ->> 'reason', 'incident', asked ->> 'incident'));
  outcome := 'started';
  containment_id := asked ->> 'id';
END $$;

-- As before, but for what a freeze selects.
CREATE OR REPLACE FUNCTION open_lease(
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

  IF outcome IS NULL AND any_freeze() THEN
    detail := freeze_on(jsonb_populate_record(NULL::leases, jsonb_build_object(
      'id', intent ->> 'leaseId', 'task_id', _task, 'agent', _agent, 'owner', intent ->> 'owner',
      'environment', intent ->> 'environment', 'subject', intent ->> 'subject',
      'provider', intent ->> 'provider', 'template', _template,
      'template_version', intent -> 'templateVersion', 'targets', intent -> 'targets',
      'created_at', clock_timestamp())));
    IF detail IS NOT NULL THEN outcome := 'frozen'; END IF;
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
