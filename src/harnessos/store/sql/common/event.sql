-- name: event_insert
-- Appends one fact.
INSERT INTO events (subject_kind, subject_id, subject_seq, at, kind, actor, cause, run_id, epoch, data_json, hash)
VALUES (:subject_kind, :subject_id, :subject_seq, :at, :kind, :actor, :cause, :run_id, :epoch, :data_json, :hash);

-- name: event_head_issue
-- Moves an issue's chain without moving the issue.
UPDATE issues SET event_seq = :seq, event_head = :head WHERE id = :id AND event_seq = :seen;

-- name: event_head_campaign
-- Moves a campaign's chain.
UPDATE campaigns SET event_seq = :seq, event_head = :head WHERE id = :id AND event_seq = :seen;

-- name: event_head_project
-- Moves a project's chain.
UPDATE projects SET event_seq = :seq, event_head = :head WHERE id = :id AND event_seq = :seen;

-- name: event_head_ledger
-- Moves the ledger's chain.
UPDATE ledger SET event_seq = :seq, event_head = :head WHERE id = :id AND event_seq = :seen;

-- name: event_tail_issue
-- Where an issue's chain ends.
SELECT id, event_seq, event_head FROM issues WHERE id = :id;

-- name: event_tail_campaign
-- Where a campaign's chain ends.
SELECT id, event_seq, event_head FROM campaigns WHERE id = :id;

-- name: event_tail_project
-- Where a project's chain ends.
SELECT id, event_seq, event_head FROM projects WHERE id = :id;

-- name: event_tail_ledger
-- Where the ledger's own chain ends.
SELECT id, event_seq, event_head FROM ledger WHERE id = :id;

-- name: event_of_subject
-- A subject's chain from a place on.
SELECT * FROM events WHERE subject_id = :subject AND subject_seq > :after ORDER BY subject_seq LIMIT :most;

-- name: event_latest
-- A subject's newest facts, newest first.
SELECT * FROM events WHERE subject_id = :subject ORDER BY subject_seq DESC LIMIT :most;

-- name: event_after
-- All facts after a cursor, in the order they were appended.
SELECT * FROM events WHERE seq > :after ORDER BY seq LIMIT :most;

-- name: event_last
-- The newest fact's place.
SELECT coalesce(max(seq), 0) AS seq FROM events;
