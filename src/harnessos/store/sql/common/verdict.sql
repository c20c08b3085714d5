-- name: verdict_insert
-- What a turn's evidence adds up to.
INSERT INTO verdicts (id, run_id, issue_id, turn, verdict, subject, reason, created_at)
VALUES (:id, :run, :issue, :turn, :verdict, :subject, :reason, :now);

-- name: verdict_of_run
-- The verdicts of a run, oldest first.
SELECT * FROM verdicts WHERE run_id = :run ORDER BY id LIMIT :most;

-- name: verdict_last
-- The verdict of a run that counts: its newest.
SELECT verdict, subject, reason FROM verdicts WHERE run_id = :run ORDER BY id DESC LIMIT :one;
