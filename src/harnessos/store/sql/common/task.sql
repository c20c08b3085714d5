-- name: task_describe
-- What a dispatched task has beyond its insertion: the whole text, its priority, what its file says of it.
UPDATE issues SET description = :description, priority = :priority, effective_priority = :priority,
    metadata_json = :metadata_json
WHERE id = :id;

-- name: task_by_number
-- A mission's task by the number in its id.
SELECT * FROM issues WHERE parent_id = :parent AND number = :number;

-- name: task_live
-- The tasks that workers have, with their runs.
SELECT i.*, r.id AS run_id, r.agent, r.started_at, r.expires_at, r.supervised
FROM issues i JOIN runs r ON r.issue_id = i.id AND r.live = 1
WHERE i.parent_id = :parent AND i.status = 'in_progress' ORDER BY i.number;

-- name: task_waiting
-- The tasks that wait for an idle worker, in the order in which they are given out.
SELECT * FROM issues WHERE parent_id = :parent AND status = 'pending'
ORDER BY effective_priority, number LIMIT :most;

-- name: task_expired
-- Live runs whose time is over. One that a process of this program watches gets one more TTL, as everywhere.
SELECT r.id, r.issue_id, r.epoch, r.expires_at FROM issues i JOIN runs r ON r.issue_id = i.id AND r.live = 1
WHERE i.parent_id = :parent AND i.status = 'in_progress'
    AND r.expires_at + CASE WHEN r.supervised = 1 THEN r.ttl_ms ELSE 0 END <= :now
ORDER BY i.number;

-- name: task_counts
-- How many tasks of a mission are where.
SELECT status, count(*) AS number FROM issues WHERE parent_id = :parent GROUP BY status ORDER BY status;

-- name: task_done_by
-- How many tasks each worker has done.
SELECT r.agent, count(*) AS number FROM issues i
JOIN runs r ON r.issue_id = i.id AND r.epoch = i.lease_epoch AND r.outcome = 'success'
WHERE i.parent_id = :parent AND i.status = 'done' GROUP BY r.agent;

-- name: task_given_last
-- When each worker got its newest task.
SELECT r.agent, max(r.started_at) AS at FROM issues i JOIN runs r ON r.issue_id = i.id
WHERE i.parent_id = :parent GROUP BY r.agent;

-- name: task_results
-- What was collected: of a task (its own chain), or of ids that nobody knows (the mission's chain).
SELECT data_json FROM events WHERE subject_id = :subject AND kind = 'task.result' ORDER BY subject_seq;
