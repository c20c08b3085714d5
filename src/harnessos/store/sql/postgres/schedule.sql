-- name: schedule_lock
-- PostgreSQL locks the row it is about to change.
SELECT * FROM schedules WHERE id = :id FOR UPDATE;
