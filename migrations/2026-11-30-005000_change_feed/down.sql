DROP FUNCTION public.ledger_heads(uuid[]);
DROP FUNCTION public.erased_by(bigint);
DROP FUNCTION public.owner_before(bigint, uuid);
DROP FUNCTION public.ledger_span(bigint, bigint, timestamptz);
