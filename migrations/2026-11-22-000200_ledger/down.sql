DROP TABLE idempotency, access_log, access_log_head, ledger, ledger_head;
DROP FUNCTION ensure_month_partitions(date, date);
