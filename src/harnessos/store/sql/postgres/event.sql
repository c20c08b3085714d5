-- name: event_tail_issue
-- PostgreSQL locks the chain's head before the append.
SELECT id, event_seq, event_head FROM issues WHERE id = :id FOR UPDATE;

-- name: event_tail_campaign
-- PostgreSQL locks the chain's head before the append.
SELECT id, event_seq, event_head FROM campaigns WHERE id = :id FOR UPDATE;

-- name: event_tail_project
-- PostgreSQL locks the chain's head before the append.
SELECT id, event_seq, event_head FROM projects WHERE id = :id FOR UPDATE;

-- name: event_tail_ledger
-- PostgreSQL locks the chain's head before the append.
SELECT id, event_seq, event_head FROM ledger WHERE id = :id FOR UPDATE;

-- name: event_after
-- PostgreSQL commits out of order: only facts older than every open transaction are final, so no reader skips one.
SELECT * FROM events
WHERE seq > :after AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY seq LIMIT :most;
