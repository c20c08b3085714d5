-- name: campaign_insert
-- A goal inside a project.
INSERT INTO campaigns (id, project_id, name, objective, policy_json, created_at)
VALUES (:id, :project, :name, :objective, :policy_json, :now);

-- name: campaign_by_name
-- A campaign of a project.
SELECT * FROM campaigns WHERE project_id = :project AND name = :name;

-- name: campaign_by_id
-- A campaign.
SELECT * FROM campaigns WHERE id = :id;

-- name: campaign_list
-- The campaigns of a project.
SELECT * FROM campaigns WHERE project_id = :project ORDER BY created_at, id;

-- name: campaign_status
-- Pauses, resumes or archives.
UPDATE campaigns SET status = :status WHERE id = :id AND status = :seen;

-- name: campaign_policy
-- Changes a campaign's objective and policy.
UPDATE campaigns SET objective = :objective, policy_json = :policy_json WHERE id = :id;
