-- name: settlement_insert
-- Notes a fan-out that is not finished yet.
INSERT INTO settlements (subject_id, subject_kind, project_id, created_at) VALUES (:subject, :kind, :project, :now)
ON CONFLICT (subject_id) DO NOTHING;

-- name: settlement_next
-- The oldest unfinished fan-out of a project.
SELECT subject_id, subject_kind, project_id FROM settlements WHERE project_id = :project
ORDER BY created_at, subject_id LIMIT :one;

-- name: settlement_delete
-- The fan-out is finished.
DELETE FROM settlements WHERE subject_id = :subject;
