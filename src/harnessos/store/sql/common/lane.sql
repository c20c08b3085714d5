-- name: lane_find
-- The lane of a campaign for a workload class and a set of capabilities.
SELECT id FROM lanes WHERE campaign_id = :campaign AND workload_class = :workload_class AND capabilities = :capabilities;

-- name: lane_insert
-- A lane, made with the first issue that needs it.
INSERT INTO lanes (id, project_id, campaign_id, workload_class, capabilities, created_at)
VALUES (:id, :project, :campaign, :workload_class, :capabilities, :now)
ON CONFLICT (campaign_id, workload_class, capabilities) DO NOTHING;

-- name: lane_list
-- The lanes of a project with how much lies in each.
SELECT l.id, l.workload_class, l.capabilities, c.name AS campaign, c.status AS campaign_status,
    EXISTS (SELECT 1 FROM issues i WHERE i.lane_id = l.id AND i.status = 'ready' AND i.parked = 0) AS waiting
FROM lanes l JOIN campaigns c ON c.id = l.campaign_id WHERE l.project_id = :project ORDER BY l.id;

-- name: lane_by_id
-- What an issue's lane asks of who takes it.
SELECT workload_class, capabilities FROM lanes WHERE id = :id;
