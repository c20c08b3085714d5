-- name: attention_insert
-- Something needs a person; the same thing is asked once.
INSERT INTO attention (id, project_id, issue_id, dedup, kind, question, command, created_at)
VALUES (:id, :project, :issue, :dedup, :kind, :question, :command, :now)
ON CONFLICT (dedup) WHERE resolved_at IS NULL DO NOTHING;

-- name: attention_open
-- What waits for a person in a project.
SELECT a.*, i.identifier FROM attention a LEFT JOIN issues i ON i.id = a.issue_id
WHERE a.project_id = :project AND a.resolved_at IS NULL AND a.id > :after ORDER BY a.id LIMIT :most;

-- name: attention_by_id
-- One entry of the inbox.
SELECT * FROM attention WHERE id = :id;

-- name: attention_resolve
-- A person, or the course of things, settled it.
UPDATE attention SET resolved_at = :now, resolved_by = :by WHERE id = :id AND resolved_at IS NULL;

-- name: attention_resolve_issue
-- The issue moved on, so what it asked is moot; that it is late stays true until it is over.
UPDATE attention SET resolved_at = :now, resolved_by = :by WHERE issue_id = :issue AND resolved_at IS NULL
    AND (kind <> 'escalation' OR (SELECT i.status FROM issues i WHERE i.id = :issue) IN ('done', 'cancelled'));

-- name: attention_resolve_dedup
-- The reason is gone.
UPDATE attention SET resolved_at = :now, resolved_by = :by WHERE dedup = :dedup AND resolved_at IS NULL;

-- name: attention_asked
-- The open entry of a question.
SELECT id FROM attention WHERE dedup = :dedup AND resolved_at IS NULL;

-- name: attention_unsent
-- Entries of these projects (`,KEY,KEY,`) that nobody was notified of yet.
SELECT a.*, i.identifier, p.key AS project FROM attention a
JOIN projects p ON p.id = a.project_id LEFT JOIN issues i ON i.id = a.issue_id
WHERE a.notified_at IS NULL AND a.resolved_at IS NULL AND :keys LIKE '%,' || p.key || ',%'
ORDER BY a.id LIMIT :most;

-- name: attention_sent
-- Claims the one notification of an entry: whoever changes the row sends it.
UPDATE attention SET notified_at = :now WHERE id = :id AND notified_at IS NULL;
