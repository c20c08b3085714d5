-- name: checkpoint_insert
-- A run's recorded progress.
INSERT INTO checkpoints (id, run_id, issue_id, number, derived, title, summary, next_step, body_json, created_at)
VALUES (:id, :run, :issue, :number, :derived, :title, :summary, :next_step, :body_json, :now);

-- name: checkpoint_of_issue
-- The newest checkpoints of an issue, newest first.
SELECT * FROM checkpoints WHERE issue_id = :issue ORDER BY id DESC LIMIT :most;

-- name: checkpoint_of_run
-- The checkpoints of a run, oldest first.
SELECT * FROM checkpoints WHERE run_id = :run ORDER BY number LIMIT :most;
