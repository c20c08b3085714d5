-- name: milestone_lock
-- The whole row, before it is changed.
SELECT * FROM milestones WHERE id = :id;

-- name: milestone_by_key
-- A milestone of a campaign by its key.
SELECT * FROM milestones WHERE campaign_id = :campaign AND key = :key;

-- name: milestone_by_id
-- A milestone by its id.
SELECT * FROM milestones WHERE id = :id;

-- name: milestone_elsewhere
-- Another campaign that holds milestones of this plan.
SELECT c.name AS campaign FROM milestones m JOIN campaigns c ON c.id = m.campaign_id
WHERE m.project_id = :project AND m.plan_key = :plan_key AND m.campaign_id <> :campaign
ORDER BY m.position LIMIT :one;

-- name: milestone_edges
-- Every edge between the milestones of a project; keys are told apart by their campaign.
SELECT m.campaign_id || '/' || m.key AS key, o.campaign_id || '/' || o.key AS on_key
FROM milestones m
JOIN milestone_dependencies d ON d.milestone_id = m.id
JOIN milestones o ON o.id = d.depends_on_id
WHERE m.project_id = :project;

-- name: milestone_last
-- The position after which the next milestone is put.
SELECT coalesce(max(position), 0) AS position FROM milestones WHERE project_id = :project;

-- name: milestone_insert
-- A newly planned milestone.
INSERT INTO milestones (id, project_id, campaign_id, key, plan_key, position, description, unmet,
    approvals_open, deadline_at, metadata_json, created_at)
VALUES (:id, :project_id, :campaign_id, :key, :plan_key, :position, :description, :unmet,
    :approvals_open, :deadline_at, :metadata_json, :created_at);

-- name: milestone_rewrite
-- What a plan applied again may change about a milestone.
UPDATE milestones SET description = :description, deadline_at = :deadline_at, metadata_json = :metadata_json
WHERE id = :id;

-- name: milestone_count
-- Moves issues between the counters, in the transaction that moves the issues.
UPDATE milestones SET n_pending = n_pending + :pending, n_ready = n_ready + :ready,
    n_in_progress = n_in_progress + :in_progress, n_done = n_done + :done, n_failed = n_failed + :failed,
    n_blocked = n_blocked + :blocked, n_cancelled = n_cancelled + :cancelled
WHERE id = :id;

-- name: milestone_settles
-- Notes that the dependents of a milestone must learn of its status, if one of them has not.
INSERT INTO settlements (subject_id, subject_kind, project_id, created_at)
SELECT m.id, 'milestone', m.project_id, :now FROM milestones m
WHERE m.id = :id AND EXISTS (SELECT 1 FROM milestone_dependencies d
    WHERE d.depends_on_id = m.id AND d.state <> CASE m.status WHEN 'done' THEN 1 ELSE 0 END)
ON CONFLICT (subject_id) DO NOTHING;

-- name: milestone_waits
-- What a milestone waits for beside its own issues; its status derives from that and from the counters.
UPDATE milestones SET unmet = :unmet, approvals_open = :approvals_open WHERE id = :id;

-- name: milestone_depend
-- An edge: `milestone` waits for `on`. `state` is 0 waiting, 1 met.
INSERT INTO milestone_dependencies (milestone_id, depends_on_id, state) VALUES (:milestone, :on, :state);

-- name: milestone_dependencies
-- What a milestone depends on.
SELECT d.depends_on_id, d.state, m.key, m.status
FROM milestone_dependencies d JOIN milestones m ON m.id = d.depends_on_id
WHERE d.milestone_id = :milestone ORDER BY d.depends_on_id;

-- name: milestone_dependents
-- Edges of those that wait for this milestone and whose state is not what its status now says.
SELECT milestone_id FROM milestone_dependencies
WHERE depends_on_id = :id AND state <> :state ORDER BY milestone_id LIMIT :most;

-- name: milestone_settle
-- Brings one edge up to date, if it is still as it was seen: two may settle at once.
UPDATE milestone_dependencies SET state = :state
WHERE milestone_id = :milestone AND depends_on_id = :on AND state <> :state;
