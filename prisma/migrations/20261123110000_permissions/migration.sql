-- A permission is GitHub's (`contents:write`), AWS's (`s3:PutObject`, `s3:Put*`) or Vault's
-- (`vault:update`).
CREATE FUNCTION permission_provider(permission text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN starts_with(permission, 'vault:') THEN 'vault'
    WHEN split_part(permission, ':', 2) IN ('read', 'write', 'admin') THEN 'github'
    ELSE 'aws' END
$$;

-- The targets that say that a lease has it, where they can be listed.
CREATE OR REPLACE FUNCTION permission_targets(permission text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE permission_provider(permission)
    WHEN 'vault' THEN ARRAY['vault:capability:' || substr(permission, 7)]
    ELSE (
      SELECT array_agg('github:permission:' || split_part(permission, ':', 1) || ':' || level)
        FROM unnest(ARRAY['read', 'write', 'admin']) WITH ORDINALITY AS levels (level, rank)
        WHERE rank >= array_position(ARRAY['read', 'write', 'admin'], split_part(permission, ':', 2)))
    END
$$;

-- A lease's actions may be patterns (`s3:get*`), and the question may be one that ends in `*`: two
-- patterns can mean the same action when their literal starts agree. What a managed policy allows is
-- not known here, so whoever takes one is taken to have the permission.
CREATE FUNCTION allows_aws_action(targets text[], permission text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT EXISTS (
    SELECT FROM unnest(targets) AS target
      WHERE starts_with(target, 'aws:policy:') OR starts_with(target, 'aws:action:')
        AND CASE WHEN right(permission, 1) = '*'
          THEN starts_with(substr(target, 12), lower(left(permission, -1)))
            OR target ~ '[*?]' AND starts_with(lower(permission),
              split_part(translate(substr(target, 12), '?', '*'), '*', 1))
          ELSE lower(permission) LIKE translate(substr(target, 12), '*?', '%_') END)
$$;

-- As before, but for permissions of every provider.
CREATE OR REPLACE FUNCTION selector_matches(s jsonb, l leases) RETURNS boolean
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
    AND (NOT s ? 'permission' OR CASE permission_provider(s ->> 'permission')
      WHEN 'aws' THEN allows_aws_action(l.targets, s ->> 'permission')
      ELSE l.targets && permission_targets(s ->> 'permission') END)
    AND (NOT s ? 'awsAccount' OR l.targets @> ARRAY['aws:account:' || (s ->> 'awsAccount')])
    AND (NOT s ? 'awsRole' OR l.targets @> ARRAY['aws:role:' || (s ->> 'awsRole')])
    AND (NOT s ? 'vaultPath' OR reaches_vault_path(l.targets, s ->> 'vaultPath'))
    AND (NOT s ? 'createdAfter' OR l.created_at >= (s ->> 'createdAfter')::timestamptz)
    AND (NOT s ? 'createdBefore' OR l.created_at < (s ->> 'createdBefore')::timestamptz)
$$;

-- Leases that were opened before their capabilities were written down.
UPDATE leases SET targets = targets || found.capabilities
  FROM (
    SELECT id, array_agg(DISTINCT 'vault:capability:' || capability) AS capabilities
      FROM leases,
        jsonb_path_query(
          CASE WHEN scope ? 'database' THEN '{"paths": [{"capabilities": ["read"]}]}' ELSE scope END,
          '$.paths[*].capabilities[*]') AS value,
        LATERAL (SELECT value #>> '{}' AS capability) AS text
      WHERE provider = 'vault' AND due_at IS NOT NULL
      GROUP BY id
  ) AS found
  WHERE leases.id = found.id;
