-- name: artifact_insert
-- A file a run produced.
INSERT INTO artifacts (id, run_id, issue_id, kind, path, sha256, size, created_at)
VALUES (:id, :run, :issue, :kind, :path, :sha256, :size, :now);

-- name: artifact_of_run
-- The files of a run.
SELECT * FROM artifacts WHERE run_id = :run ORDER BY id LIMIT :most;

-- name: artifact_of_project
-- The files of a project's runs, of one kind or (an empty one) of all, in the order of their ids.
SELECT a.*, i.identifier FROM artifacts a JOIN issues i ON i.id = a.issue_id
WHERE i.project_id = :project AND a.id > :after AND (:kind = '' OR a.kind = :kind) ORDER BY a.id LIMIT :most;
