-- name: approval_insert
-- An approval that a plan, or a verdict, asks for.
INSERT INTO approvals (id, project_id, issue_id, milestone_id, name, label, required, state, subject, note)
VALUES (:id, :project, :issue, :milestone, :name, :label, :required, :state, :subject, :note);

-- name: approval_of_issue
-- The approvals of an issue.
SELECT * FROM approvals WHERE issue_id = :issue ORDER BY name;

-- name: approval_of_milestone
-- The approvals of a milestone.
SELECT * FROM approvals WHERE milestone_id = :milestone ORDER BY name;

-- name: approval_rewrite
-- What an edited plan may change about an approval; a person's decision is not in here.
UPDATE approvals SET label = :label, required = :required WHERE id = :id;

-- name: approval_delete
-- An edited plan no longer asks for it.
DELETE FROM approvals WHERE id = :id;

-- name: approval_decide
-- A person decides: about a commit (`subject`, an approval gate's) or, with none, what a plan asks for.
UPDATE approvals SET state = :state, decided_by = :by, decided_at = :now, note = :note, subject = :subject
WHERE id = :id;
