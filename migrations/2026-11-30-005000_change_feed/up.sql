-- The change feed reads the ledger by its numbers (src/feed). The ledger's months hold times, and no number says of which
-- month its entry is; so these functions look where the entries must be by the time of the one before them, count what they
-- find, and look further only where one is missing: numbers have no gaps. They look with nobody closed, as whose a record was
-- is decided so; whoever reads the entries sees those that the policies leave.

-- Where the entries after a number stand, at most so many: the head of the ledger, the last of those entries with its time,
-- between which times all of them are, and the time of the entry with that number. `around` is the time of that one.
CREATE FUNCTION public.ledger_span(last_seen bigint, most bigint, around timestamptz)
    RETURNS TABLE (head bigint, last_seq bigint, last_at timestamptz, from_at timestamptz, to_at timestamptz, seen_at timestamptz)
    LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    org uuid := public.current_org();
    opened text := coalesce(current_setting('app.opened', true), '');
    only_these text := coalesce(current_setting('app.only_patients', true), '');
    near timestamptz := coalesce(around, (SELECT o.created_at FROM public.organisation o WHERE o.org_id = org));
    reach interval;
    first_seq bigint := greatest(last_seen, 1);
    found bigint;
BEGIN
    PERFORM set_config('app.opened', 'all', true);
    PERFORM set_config('app.only_patients', '', true);
    head := (SELECT h.seq FROM public.ledger_head h WHERE h.org_id = org);
    last_seq := least(head, last_seen + most);
    IF last_seq >= first_seq THEN
        -- A time is taken before the number, so an entry's may be a little earlier than that of the one before it.
        FOREACH reach IN ARRAY ARRAY[interval '20 days', interval '1 year', NULL] LOOP
            SELECT count(*), min(l.at), max(l.at), max(l.at) FILTER (WHERE l.seq = last_seq),
                max(l.at) FILTER (WHERE l.seq = last_seen)
                INTO found, from_at, to_at, last_at, seen_at FROM public.ledger l
                WHERE l.org_id = org AND l.seq BETWEEN first_seq AND last_seq
                AND l.at >= coalesce(near - reach / 20, '-infinity') AND l.at <= coalesce(near + reach, 'infinity');
            EXIT WHEN found = last_seq - first_seq + 1;
        END LOOP;
    END IF;
    PERFORM set_config('app.opened', opened, true);
    PERFORM set_config('app.only_patients', only_these, true);
    RETURN NEXT;
END
$$;

-- Whose a record was before an entry; null for somebody who is closed.
CREATE FUNCTION public.owner_before(entry bigint, record uuid) RETURNS uuid
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    opened text := coalesce(current_setting('app.opened', true), '');
    only_these text := coalesce(current_setting('app.only_patients', true), '');
    closed uuid[] := public.closed_but_for(opened);
    answer uuid;
BEGIN
    PERFORM set_config('app.opened', 'all', true);
    PERFORM set_config('app.only_patients', '', true);
    answer := (SELECT l.patient_id FROM public.ledger l
        WHERE l.org_id = public.current_org() AND l.record_id = record AND l.seq < entry ORDER BY l.seq DESC LIMIT 1);
    PERFORM set_config('app.opened', opened, true);
    PERFORM set_config('app.only_patients', only_these, true);
    RETURN CASE WHEN answer = ANY (closed) THEN NULL ELSE answer END;
END
$$;

-- What an erasure took: the last entry of each record that is gone by it, numbered from 1, what was made last first, as what
-- hangs on another record was made after it. An entry that it emptied of somebody who stayed is followed by one that it did not.
CREATE FUNCTION public.erased_by(erasure bigint) RETURNS TABLE (place bigint, seq bigint, at timestamptz)
    LANGUAGE plpgsql STABLE ROWS 200 SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    org uuid := public.current_org();
    opened text := coalesce(current_setting('app.opened', true), '');
    only_these text := coalesce(current_setting('app.only_patients', true), '');
BEGIN
    PERFORM set_config('app.opened', 'all', true);
    PERFORM set_config('app.only_patients', '', true);
    RETURN QUERY SELECT row_number() OVER (ORDER BY g.first_seq DESC), g.last_seq, g.last_at FROM (
        SELECT l.record_id, min(l.seq) AS first_seq, max(l.seq) AS last_seq, (array_agg(l.at ORDER BY l.seq DESC))[1] AS last_at
        FROM public.ledger e CROSS JOIN LATERAL jsonb_array_elements(e.content::jsonb -> 'emptied') AS r
        JOIN public.ledger l ON l.org_id = org AND l.seq BETWEEN (r ->> 0)::bigint AND (r ->> 1)::bigint
        WHERE e.org_id = org AND e.seq = erasure AND e.action = 'erase' AND jsonb_typeof(e.content::jsonb -> 'emptied') = 'array'
        GROUP BY l.record_id) AS g
        WHERE NOT EXISTS (SELECT FROM public.ledger n
            WHERE n.org_id = org AND n.record_id = g.record_id AND n.seq > g.last_seq AND n.seq < erasure)
        ORDER BY 1;
    PERFORM set_config('app.opened', opened, true);
    PERFORM set_config('app.only_patients', only_these, true);
END
$$;

-- The number of the newest entry of each of these organisations: for the program itself, which waits for the next.
CREATE FUNCTION public.ledger_heads(orgs uuid[]) RETURNS TABLE (org uuid, head bigint)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    before text := coalesce(current_setting('app.org_id', true), '');
BEGIN
    FOREACH org IN ARRAY orgs LOOP
        PERFORM set_config('app.org_id', org::text, true);
        SELECT h.seq INTO head FROM public.ledger_head h WHERE h.org_id = org;
        RETURN NEXT;
    END LOOP;
    PERFORM set_config('app.org_id', before, true);
END
$$;
REVOKE ALL ON FUNCTION public.ledger_heads(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.ledger_heads(uuid[]) TO clinic_app;
