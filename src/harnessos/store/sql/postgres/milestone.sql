-- name: milestone_lock
-- PostgreSQL locks the row it is about to change.
SELECT * FROM milestones WHERE id = :id FOR UPDATE;
