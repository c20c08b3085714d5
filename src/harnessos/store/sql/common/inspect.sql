-- name: inspect_issues
-- A page of a project's issues in the order of their numbers.
SELECT i.id, i.number, i.identifier, i.task, i.status, i.blocked_reason, i.priority, i.attempts, i.verdict,
    i.labels_json, i.milestone_id, m.key AS milestone, c.name AS campaign, c.status AS campaign_status
FROM issues i JOIN campaigns c ON c.id = i.campaign_id LEFT JOIN milestones m ON m.id = i.milestone_id
WHERE i.project_id = :project AND i.number > :after
ORDER BY i.number LIMIT :most;

-- name: inspect_issues_status
-- A page of a project's issues in one status.
SELECT i.id, i.number, i.identifier, i.task, i.status, i.blocked_reason, i.priority, i.attempts, i.verdict,
    i.labels_json, i.milestone_id, m.key AS milestone, c.name AS campaign, c.status AS campaign_status
FROM issues i JOIN campaigns c ON c.id = i.campaign_id LEFT JOIN milestones m ON m.id = i.milestone_id
WHERE i.project_id = :project AND i.status = :status AND i.number > :after
ORDER BY i.number LIMIT :most;

-- name: inspect_issues_milestone
-- A page of a milestone's issues, by status and id, as its index lies.
SELECT i.id, i.number, i.identifier, i.task, i.status, i.blocked_reason, i.priority, i.attempts, i.verdict,
    i.labels_json, i.milestone_id, m.key AS milestone, c.name AS campaign, c.status AS campaign_status
FROM issues i JOIN campaigns c ON c.id = i.campaign_id JOIN milestones m ON m.id = i.milestone_id
WHERE i.milestone_id = :milestone AND (i.status, i.id) > (:status, :after)
ORDER BY i.status, i.id LIMIT :most;

-- name: inspect_issues_milestone_status
-- A page of a milestone's issues in one status.
SELECT i.id, i.number, i.identifier, i.task, i.status, i.blocked_reason, i.priority, i.attempts, i.verdict,
    i.labels_json, i.milestone_id, m.key AS milestone, c.name AS campaign, c.status AS campaign_status
FROM issues i JOIN campaigns c ON c.id = i.campaign_id JOIN milestones m ON m.id = i.milestone_id
WHERE i.milestone_id = :milestone AND i.status = :status AND i.id > :after
ORDER BY i.id LIMIT :most;

-- name: inspect_waits
-- The first thing of each kind that keeps a pending issue waiting.
SELECT
    (SELECT o.identifier FROM issue_dependencies d JOIN issues o ON o.id = d.depends_on_id
        WHERE d.issue_id = :id AND d.state = 0 ORDER BY d.depends_on_id LIMIT :one) AS issue_dependency,
    (SELECT o.key FROM milestone_dependencies d JOIN milestones o ON o.id = d.depends_on_id
        WHERE d.milestone_id = :milestone AND d.state = 0 ORDER BY d.depends_on_id LIMIT :one) AS milestone_dependency,
    (SELECT o.id FROM milestone_dependencies d JOIN milestones o ON o.id = d.depends_on_id
        WHERE d.milestone_id = :milestone AND d.state = 0 ORDER BY d.depends_on_id LIMIT :one) AS milestone_dependency_id,
    (SELECT a.name FROM approvals a
        WHERE a.issue_id = :id AND a.required = 1 AND a.state IN ('pending', 'rejected')
        ORDER BY a.name LIMIT :one) AS approval,
    (SELECT a.name FROM approvals a
        WHERE a.milestone_id = :milestone AND a.required = 1 AND a.state IN ('pending', 'rejected')
        ORDER BY a.name LIMIT :one) AS milestone_approval;

-- name: inspect_dependencies
-- A page of what an issue waits for.
SELECT o.identifier, o.status, d.state, o.accepted_commit, o.id FROM issue_dependencies d
JOIN issues o ON o.id = d.depends_on_id
WHERE d.issue_id = :id AND d.depends_on_id > :after ORDER BY d.depends_on_id LIMIT :most;

-- name: inspect_dependents
-- A page of those that wait for an issue.
SELECT i.identifier, i.status, d.state, d.issue_id FROM issue_dependencies d JOIN issues i ON i.id = d.issue_id
WHERE d.depends_on_id = :id AND d.issue_id > :after ORDER BY d.issue_id LIMIT :most;

-- name: inspect_milestone_key
-- The milestones of a project with this key (one in each campaign).
SELECT m.*, c.name AS campaign FROM milestones m JOIN campaigns c ON c.id = m.campaign_id
WHERE m.project_id = :project AND m.key = :key ORDER BY m.position, m.id LIMIT :most;

-- name: inspect_open_in
-- The first issue of a milestone that is not over, of one status.
SELECT identifier FROM issues WHERE milestone_id = :milestone AND status = :status ORDER BY id LIMIT :one;

-- name: inspect_counts
-- Issues by status, added up from the milestones' counters: it reads the milestones, never the issues.
SELECT CAST(coalesce(sum(n_pending), 0) AS BIGINT) AS pending, CAST(coalesce(sum(n_ready), 0) AS BIGINT) AS ready,
    CAST(coalesce(sum(n_in_progress), 0) AS BIGINT) AS in_progress, CAST(coalesce(sum(n_done), 0) AS BIGINT) AS done,
    CAST(coalesce(sum(n_failed), 0) AS BIGINT) AS failed, CAST(coalesce(sum(n_blocked), 0) AS BIGINT) AS blocked,
    CAST(coalesce(sum(n_cancelled), 0) AS BIGINT) AS cancelled
FROM milestones WHERE project_id = :project;

-- name: inspect_live
-- A page of a project's live runs.
SELECT r.*, i.identifier, i.task FROM runs r JOIN issues i ON i.id = r.issue_id
WHERE r.project_id = :project AND r.live = 1 AND r.id > :after ORDER BY r.id LIMIT :most;

-- name: inspect_runs
-- A page of a project's runs, newest first.
SELECT r.*, i.identifier, i.task FROM runs r JOIN issues i ON i.id = r.issue_id
WHERE r.project_id = :project AND r.id < :before ORDER BY r.id DESC LIMIT :most;

-- name: inspect_runs_of
-- A page of an issue's runs, newest first.
SELECT r.*, i.identifier, i.task FROM runs r JOIN issues i ON i.id = r.issue_id
WHERE r.issue_id = :issue AND r.epoch < :before ORDER BY r.epoch DESC LIMIT :most;

-- name: inspect_ended
-- A page of a project's runs that ended after an instant, oldest end first.
SELECT r.*, i.identifier, i.task, i.status AS issue_status, i.accepted_commit FROM runs r
JOIN issues i ON i.id = r.issue_id
WHERE r.project_id = :project AND r.live = 0 AND (r.ended_at, r.id) > (:since, :after)
ORDER BY r.ended_at, r.id LIMIT :most;

-- name: inspect_spent
-- What a project's runs that ended after an instant used; `unmetered` counts those whose money nobody reported.
SELECT count(*) AS runs, CAST(coalesce(sum(ended_at - started_at), 0) AS BIGINT) AS wall_ms,
    CAST(coalesce(sum(spent_usd), 0) AS BIGINT) AS usd, CAST(coalesce(sum(spent_tokens), 0) AS BIGINT) AS tokens,
    CAST(coalesce(sum(CASE WHEN spent_usd IS NULL THEN 1 ELSE 0 END), 0) AS BIGINT) AS unmetered
FROM runs WHERE project_id = :project AND live = 0 AND ended_at > :since;

-- name: inspect_attention_count
-- How many things wait for a person.
SELECT count(*) AS n FROM attention WHERE project_id = :project AND resolved_at IS NULL;

-- name: inspect_attention_of
-- What an issue asks of a person.
SELECT * FROM attention WHERE issue_id = :issue AND resolved_at IS NULL ORDER BY id LIMIT :most;

-- name: inspect_budget
-- A scope's balances of one period, without a lock.
SELECT dimension, cap, spent, reserved FROM budgets
WHERE scope_kind = :scope_kind AND scope_id = :scope AND period = :period ORDER BY dimension;

-- name: inspect_milestones
-- A page of a project's milestones in the order they were planned.
SELECT m.*, c.name AS campaign FROM milestones m JOIN campaigns c ON c.id = m.campaign_id
WHERE m.project_id = :project AND m.position > :after ORDER BY m.position LIMIT :most;

-- name: inspect_timers
-- The next issues whose wait is over.
SELECT id, identifier, not_before, lane_id FROM issues
WHERE project_id = :project AND status = 'ready' AND parked = 1 ORDER BY not_before LIMIT :most;

-- name: inspect_holds
-- What holds a project, or a provider's account, now.
SELECT scope_kind, scope_id, kind, reason, until, created_at FROM holds
WHERE (scope_id = :project OR scope_kind = 'provider') AND (until IS NULL OR until > :now)
ORDER BY scope_kind DESC, scope_id, kind;

-- name: inspect_expired
-- A project's leases that ran out and that a claim from this machine would reap, oldest first.
SELECT r.id, r.issue_id, r.epoch, r.agent, r.machine_id, r.expires_at, r.heartbeat_at, i.identifier, i.breaks,
    i.unmet + i.broken + i.approvals_open + coalesce(m.unmet, 0) + coalesce(m.approvals_open, 0) AS waits
FROM runs r JOIN issues i ON i.id = r.issue_id LEFT JOIN milestones m ON m.id = i.milestone_id
WHERE r.project_id = :project AND r.live = 1 AND r.expires_at <= :now
    AND (r.supervised = 0 OR r.machine_id <> :machine_id OR r.boot_id <> :boot_id OR r.expires_at + r.ttl_ms <= :now)
ORDER BY r.expires_at LIMIT :most;

-- name: inspect_recovery
-- Ready issues whose last run was lost, in the claim order of their ranks.
SELECT i.id, i.identifier, i.lane_id, i.files_json, i.breaches, i.priority, i.deadline_at, r.id AS run_id, r.epoch,
    l.workload_class, l.capabilities, c.status AS campaign_status
FROM issues i JOIN runs r ON r.issue_id = i.id AND r.epoch = i.lease_epoch AND r.outcome = 'lost'
JOIN lanes l ON l.id = i.lane_id JOIN campaigns c ON c.id = i.campaign_id
WHERE i.project_id = :project AND i.status = 'ready' AND i.breaks > 0
    AND (i.parked = 0 OR (i.parked = 1 AND i.not_before <= :now))
ORDER BY i.claim_rank, i.id LIMIT :most;

-- name: inspect_ready
-- The first claimable issues of a lane.
SELECT id, identifier, lane_id, files_json, breaches, priority, deadline_at FROM issues
WHERE lane_id = :lane AND status = 'ready' AND parked = 0
ORDER BY claim_rank, unbreached, deadline_key, created_at, id LIMIT :most;

-- name: inspect_sleeping
-- Issues whose wait is over and that the next claim puts back.
SELECT i.id, i.identifier, i.lane_id, i.files_json, i.breaches, i.priority, i.deadline_at, l.workload_class,
    l.capabilities, c.status AS campaign_status
FROM issues i JOIN lanes l ON l.id = i.lane_id JOIN campaigns c ON c.id = i.campaign_id
WHERE i.project_id = :project AND i.status = 'ready' AND i.parked = 1 AND i.not_before <= :now
ORDER BY i.not_before LIMIT :most;

-- name: inspect_approvals
-- Approvals that a person has not given yet and that keep issues waiting.
SELECT a.id, a.name, a.label, a.issue_id, a.milestone_id, i.identifier, m.key AS milestone
FROM approvals a LEFT JOIN issues i ON i.id = a.issue_id LEFT JOIN milestones m ON m.id = a.milestone_id
WHERE a.project_id = :project AND a.required = 1 AND a.state = 'pending'
    AND (i.status = 'pending' OR m.n_pending > 0)
ORDER BY a.id LIMIT :most;

-- name: inspect_promotable
-- Pending issues that wait for nothing: there are none unless a settlement was interrupted.
SELECT i.id, i.identifier FROM milestones m JOIN issues i ON i.milestone_id = m.id
WHERE m.project_id = :project AND m.unmet = 0 AND m.approvals_open = 0 AND i.status = 'pending' AND i.unmet = 0
    AND i.broken = 0 AND i.approvals_open = 0
LIMIT :most;

-- name: inspect_settlements
-- Fan-outs of a project that are not finished, oldest first.
SELECT subject_id, subject_kind, created_at FROM settlements WHERE project_id = :project
ORDER BY created_at, subject_id LIMIT :most;

-- name: inspect_breaker
-- A scope's breaker.
SELECT scope_kind, scope_id, state, reason, opened_at FROM breakers WHERE scope_kind = :scope_kind AND scope_id = :scope;

-- name: inspect_verdicts
-- The newest verdicts of an issue, newest first.
SELECT id, run_id, turn, verdict, subject, reason, created_at FROM verdicts
WHERE issue_id = :issue ORDER BY id DESC LIMIT :most;

-- name: inspect_last_event
-- A subject's newest fact of one kind.
SELECT seq, subject_seq, at, actor, data_json FROM events WHERE subject_id = :subject AND kind = :kind
ORDER BY subject_seq DESC LIMIT :one;

-- name: inspect_issue_rows
-- A page of whole issues of a project.
SELECT i.*, m.key AS milestone, c.name AS campaign FROM issues i JOIN campaigns c ON c.id = i.campaign_id
LEFT JOIN milestones m ON m.id = i.milestone_id
WHERE i.project_id = :project AND i.number > :after ORDER BY i.number LIMIT :most;

-- name: inspect_heads_issue
-- Where the chains of a page of issues end.
SELECT id, identifier AS name, event_seq, event_head FROM issues WHERE id > :after ORDER BY id LIMIT :most;

-- name: inspect_heads_campaign
-- Where the chains of a page of campaigns end.
SELECT id, name, event_seq, event_head FROM campaigns WHERE id > :after ORDER BY id LIMIT :most;

-- name: inspect_heads_project
-- Where the chains of a page of projects end.
SELECT id, key AS name, event_seq, event_head FROM projects WHERE id > :after ORDER BY id LIMIT :most;

-- name: inspect_heads_ledger
-- Where the ledger's own chain ends.
SELECT id, id AS name, event_seq, event_head FROM ledger WHERE id > :after ORDER BY id LIMIT :most;

-- name: inspect_orphans
-- Events of subjects that do not exist, in a window of places.
SELECT e.seq, e.subject_kind, e.subject_id, e.subject_seq FROM events e
WHERE e.seq > :after AND e.seq <= :upto
    AND NOT EXISTS (SELECT 1 FROM issues s WHERE s.id = e.subject_id)
    AND NOT EXISTS (SELECT 1 FROM campaigns s WHERE s.id = e.subject_id)
    AND NOT EXISTS (SELECT 1 FROM projects s WHERE s.id = e.subject_id)
    AND NOT EXISTS (SELECT 1 FROM ledger s WHERE s.id = e.subject_id)
ORDER BY e.seq LIMIT :most;
