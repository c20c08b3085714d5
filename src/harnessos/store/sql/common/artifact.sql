-- name: artifact_insert
-- A file a run produced.
INSERT INTO artifacts (id, run_id, issue_id, kind, path, sha256, size, created_at)
VALUES (:id, :run, :issue, :kind, :path, :sha256, :size, :now);

-- name: artifact_of_run
-- The files of a run.
SELECT * FROM artifacts WHERE run_id = :run ORDER BY id LIMIT :most;
