-- name: issue_lock
-- PostgreSQL locks the row it is about to change.
SELECT * FROM issues WHERE id = :id FOR UPDATE;

-- name: issue_take
-- PostgreSQL skips rows that another claim has locked.
SELECT * FROM issues
WHERE lane_id = :lane AND status = 'ready' AND parked = 0
ORDER BY claim_rank, unbreached, deadline_key, created_at, id
LIMIT :one
FOR UPDATE SKIP LOCKED;
