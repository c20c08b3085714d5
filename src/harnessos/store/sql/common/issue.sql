-- name: issue_lock
-- The whole row, before it is changed.
SELECT * FROM issues WHERE id = :id;

-- name: issue_by_identifier
-- An issue by the name people use.
SELECT * FROM issues WHERE identifier = :identifier;

-- name: issue_by_id
-- An issue by its id, without a lock.
SELECT * FROM issues WHERE id = :id;

-- name: issue_heads
-- The first claimable issue of every open lane this claimer may be served from, best first.
SELECT l.id AS lane_id, l.workload_class, l.capabilities
FROM lanes l
JOIN campaigns c ON c.id = l.campaign_id AND c.status = 'active'
JOIN issues i ON i.id = (
    SELECT h.id FROM issues h
    WHERE h.lane_id = l.id AND h.status = 'ready' AND h.parked = 0
    ORDER BY h.claim_rank, h.unbreached, h.deadline_key, h.created_at, h.id
    LIMIT :one)
WHERE l.project_id = :project
    AND (:any_class = 1 OR l.workload_class = '' OR :classes LIKE '%,' || l.workload_class || ',%')
    AND (:any_capability = 1 OR l.capabilities = '')
ORDER BY i.claim_rank, i.unbreached, i.deadline_key, i.created_at, i.id;

-- name: issue_take
-- The whole row of a lane's first claimable issue.
SELECT * FROM issues
WHERE lane_id = :lane AND status = 'ready' AND parked = 0
ORDER BY claim_rank, unbreached, deadline_key, created_at, id
LIMIT :one;

-- name: issue_change
-- The one statement that moves an issue: decision columns, claim columns and the head of its event chain.
UPDATE issues SET status = :status, blocked_reason = :blocked_reason, unmet = :unmet, broken = :broken,
    approvals_open = :approvals_open, lease_epoch = :lease_epoch, attempts = :attempts, forgiven = :forgiven,
    breaks = :breaks, gate_errors = :gate_errors, wall_ms = :wall_ms, verdict = :verdict,
    accepted_commit = :accepted_commit, definition = :definition, effective_priority = :effective_priority,
    claim_rank = :claim_rank, unbreached = :unbreached, deadline_key = :deadline_key, parked = :parked,
    parked_by = :parked_by, not_before = :not_before, due_at = :due_at, breaches = :breaches, ready_at = :ready_at,
    ended_at = :ended_at, event_seq = :event_seq, event_head = :event_head, updated_at = :updated_at
WHERE id = :id AND event_seq = :seen;

-- name: issue_park
-- Takes a ready issue out of the claim index until the run that blocks it ends.
UPDATE issues SET parked = 2, parked_by = :run WHERE id = :id AND status = 'ready' AND parked = 0;

-- name: issue_unpark
-- Puts back what waited for this run's files.
UPDATE issues SET parked = 0, parked_by = NULL WHERE parked = 2 AND parked_by = :run;

-- name: issue_unpark_stranded
-- Puts back what waits for the files of runs that are over (a claim and a run's end can miss each other).
UPDATE issues SET parked = 0, parked_by = NULL
WHERE parked = 2 AND parked_by > '' AND project_id || '' = :project AND NOT EXISTS
    (SELECT 1 FROM runs r WHERE r.id = issues.parked_by AND r.live = 1);

-- name: issue_sleeping
-- Ready issues whose timer has run out.
SELECT id FROM issues
WHERE project_id = :project AND status = 'ready' AND parked = 1 AND not_before <= :now
ORDER BY not_before LIMIT :most;

-- name: issue_wake
-- Puts one back into the claim index.
UPDATE issues SET parked = 0, not_before = NULL WHERE id = :id AND parked = 1;

-- name: issue_next_timer
-- The earliest timer of the project.
SELECT not_before FROM issues
WHERE project_id = :project AND status = 'ready' AND parked = 1
ORDER BY not_before LIMIT :one;

-- name: issue_due
-- Issues whose deadline or service level has passed since they were last looked at.
SELECT id FROM issues
WHERE project_id = :project AND due_at <= :now
ORDER BY due_at LIMIT :most;

-- name: issue_due_next
-- Nothing is late that was not late before: only the timer moves on.
UPDATE issues SET due_at = :due_at WHERE id = :id;

-- name: issue_rewrite
-- What an edit or a plan applied again may change about an issue that is not running.
UPDATE issues SET task = :task, description = :description, size = :size, priority = :priority, lane_id = :lane_id,
    deadline_at = :deadline_at, gates_json = :gates_json, budget_json = :budget_json, labels_json = :labels_json,
    files_json = :files_json, policy_json = :policy_json, metadata_json = :metadata_json
WHERE id = :id;

-- name: issue_insert
-- A newly planned issue.
INSERT INTO issues (id, project_id, campaign_id, milestone_id, lane_id, number, identifier, plan_key, key, task,
    description, size, priority, status, blocked_reason, unmet, broken, approvals_open, definition, effective_priority,
    claim_rank, deadline_key, due_at, deadline_at, ready_at, gates_json, budget_json, labels_json, files_json,
    policy_json, metadata_json, planned_by, created_at, updated_at, event_seq, event_head)
VALUES (:id, :project_id, :campaign_id, :milestone_id, :lane_id, :number, :identifier, :plan_key, :key, :task,
    :description, :size, :priority, :status, :blocked_reason, :unmet, :broken, :approvals_open, :definition,
    :effective_priority, :claim_rank, :deadline_key, :due_at, :deadline_at, :ready_at, :gates_json, :budget_json,
    :labels_json, :files_json, :policy_json, :metadata_json, :planned_by, :created_at, :updated_at, :event_seq,
    :event_head);

-- name: issue_depend
-- An edge: `issue` waits for `on`. `state` is 0 waiting, 1 met, 2 broken.
INSERT INTO issue_dependencies (issue_id, depends_on_id, state) VALUES (:issue, :on, :state);

-- name: issue_undepend
-- Removes an edge.
DELETE FROM issue_dependencies WHERE issue_id = :issue AND depends_on_id = :on;

-- name: issue_dependencies
-- What an issue depends on, with the state of each edge.
SELECT d.depends_on_id, d.state, i.identifier, i.status, i.accepted_commit
FROM issue_dependencies d JOIN issues i ON i.id = d.depends_on_id
WHERE d.issue_id = :issue ORDER BY d.depends_on_id;

-- name: issue_dependents
-- Edges of those that wait for this issue and whose state is not what its status now says.
SELECT issue_id, state FROM issue_dependencies
WHERE depends_on_id = :id AND state <> :state ORDER BY issue_id LIMIT :most;

-- name: issue_settle
-- Brings one edge up to date, if it is still as it was seen: two may settle at once.
UPDATE issue_dependencies SET state = :state WHERE issue_id = :issue AND depends_on_id = :on AND state = :seen;

-- name: issue_first_broken
-- The failed or cancelled issue that keeps this one from ever starting.
SELECT i.identifier FROM issue_dependencies d JOIN issues i ON i.id = d.depends_on_id
WHERE d.issue_id = :issue AND d.state = 2 ORDER BY d.depends_on_id LIMIT :one;

-- name: issue_waiting_in
-- Issues of a milestone that only its dependency milestones or approvals kept pending.
SELECT id FROM issues
WHERE milestone_id = :milestone AND status = 'pending' AND unmet = 0 AND broken = 0 AND approvals_open = 0
    AND kind = 'task'
ORDER BY id LIMIT :most;

-- name: issue_ready_in
-- Ready issues of a milestone whose dependency milestone was reopened.
SELECT id FROM issues WHERE milestone_id = :milestone AND status = 'ready' ORDER BY id LIMIT :most;

-- name: issue_planned_all
-- Everything an earlier application of this plan wrote.
SELECT i.id, i.identifier, i.key, i.status, i.definition, m.key AS milestone_key
FROM issues i JOIN milestones m ON m.id = i.milestone_id
WHERE i.project_id = :project AND i.plan_key = :plan_key ORDER BY i.number;

-- name: issue_planned_edges
-- The dependencies of everything an earlier application of this plan wrote.
SELECT d.issue_id, d.depends_on_id FROM issues i JOIN issue_dependencies d ON d.issue_id = i.id
WHERE i.project_id = :project AND i.plan_key = :plan_key;

-- name: issue_counts
-- How many issues of a project are in each status.
SELECT status, count(*) AS n FROM issues WHERE project_id = :project GROUP BY status;

-- name: issue_promotable
-- Pending issues that wait for nothing: there are none unless a settlement was interrupted.
SELECT i.id FROM issues i LEFT JOIN milestones m ON m.id = i.milestone_id
WHERE i.project_id = :project AND i.status = 'pending' AND i.unmet = 0 AND i.broken = 0 AND i.approvals_open = 0
    AND coalesce(m.unmet, 0) = 0 AND coalesce(m.approvals_open, 0) = 0 AND i.kind = 'task'
ORDER BY i.id LIMIT :most;

-- name: issue_waits
-- What an issue waits for changed, not where it stands.
UPDATE issues SET unmet = :unmet, broken = :broken WHERE id = :id;

-- name: issue_done_in
-- The finished issues of a milestone, in the order they were finished.
SELECT id, identifier, accepted_commit FROM issues
WHERE milestone_id = :milestone AND status = 'done' ORDER BY id LIMIT :most;

-- name: issue_ready_list
-- Ready issues in the claim order with what keeps each from being taken (for the dry run).
SELECT i.identifier, i.task, i.effective_priority, i.parked, i.parked_by, i.not_before, i.files_json,
    l.workload_class, l.capabilities, c.name AS campaign, c.status AS campaign_status
FROM issues i JOIN lanes l ON l.id = i.lane_id JOIN campaigns c ON c.id = i.campaign_id
WHERE i.project_id = :project AND i.status = 'ready'
ORDER BY i.claim_rank, i.unbreached, i.deadline_key, i.created_at, i.id LIMIT :most;

-- name: issue_any_ready
-- Whether a ready issue is left that is not parked.
SELECT i.id FROM issues i JOIN lanes l ON l.id = i.lane_id
WHERE l.project_id = :project AND i.status = 'ready' AND i.parked = 0 LIMIT :one;

-- name: issue_failed
-- Failed issues of a project, for the exit code.
SELECT identifier FROM issues WHERE project_id = :project AND status = 'failed' ORDER BY number LIMIT :most;

-- name: issue_accepted
-- The newest finished issues with a commit, to look whether the repository still keeps it.
SELECT id, identifier, accepted_commit FROM issues
WHERE project_id = :project AND status = 'done' AND accepted_commit IS NOT NULL ORDER BY number DESC LIMIT :most;

-- name: issue_name
-- The names of an issue and its project, for showing events.
SELECT i.identifier, i.task, p.key FROM issues i JOIN projects p ON p.id = i.project_id WHERE i.id = :id;
