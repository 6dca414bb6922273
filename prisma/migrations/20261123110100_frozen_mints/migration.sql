-- A lease can end because its credential turned out to reach what had been frozen meanwhile. The
-- reasons that are there already are kept, whichever migrations added them.
DO $$
DECLARE
  _reasons text;
BEGIN
  SELECT string_agg(DISTINCT quote_literal(listed[1]), ', ') INTO _reasons
    FROM pg_constraint,
      regexp_matches(pg_get_constraintdef(oid), '''([a-z_]+)''::text', 'g') AS listed
    WHERE conrelid = 'leases'::regclass AND conname = 'leases_end_reason_check';
  EXECUTE 'ALTER TABLE leases DROP CONSTRAINT leases_end_reason_check, '
    || 'ADD CONSTRAINT leases_end_reason_check CHECK (end_reason IN (' || _reasons || ', ''frozen''))';
END $$;
