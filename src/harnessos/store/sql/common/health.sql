-- name: health_unheld
-- Issues in progress without a live run.
SELECT i.identifier AS subject, i.id AS detail FROM issues i
WHERE i.project_id = :project AND i.status = 'in_progress'
    AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.issue_id = i.id AND r.live = 1)
ORDER BY i.number LIMIT :most;

-- name: health_stray_runs
-- Live runs whose issue is not in progress or has moved to another epoch.
SELECT r.id AS subject, i.identifier || ' is ' || i.status || ' at epoch ' || i.lease_epoch AS detail
FROM runs r JOIN issues i ON i.id = r.issue_id
WHERE r.project_id = :project AND r.live = 1 AND (i.status <> 'in_progress' OR i.lease_epoch <> r.epoch)
ORDER BY r.id LIMIT :most;

-- name: health_expired
-- Leases that ran out a whole TTL ago and that nobody reaped.
SELECT r.id AS subject, i.identifier AS detail FROM runs r JOIN issues i ON i.id = r.issue_id
WHERE r.project_id = :project AND r.live = 1 AND r.expires_at + r.ttl_ms <= :now
ORDER BY r.expires_at LIMIT :most;

-- name: health_slots
-- Slots and declared files that ended runs still hold.
SELECT s.run_id AS subject, 'slot ' || s.number AS detail FROM slots s JOIN runs r ON r.id = s.run_id
WHERE s.project_id = :project AND r.live = 0
UNION ALL
SELECT f.run_id, f.path FROM run_files f JOIN runs r ON r.id = f.run_id WHERE f.project_id = :project AND r.live = 0
LIMIT :most;

-- name: health_intents
-- Acts of ended runs whose end nobody knows.
SELECT n.id AS subject, n.kind || ' ' || n.target || ' of ' || n.run_id AS detail
FROM intents n JOIN runs r ON r.id = n.run_id
WHERE n.state = 'open' AND r.live = 0 AND r.project_id = :project
ORDER BY n.id LIMIT :most;

-- name: health_parked
-- Issues that wait for the files of a run which has ended.
SELECT i.identifier AS subject, i.parked_by AS detail FROM issues i LEFT JOIN runs r ON r.id = i.parked_by
WHERE i.parked = 2 AND i.project_id = :project AND (r.id IS NULL OR r.live = 0)
LIMIT :most;

-- name: health_settlements
-- Fan-outs that nobody has worked off since an instant.
SELECT subject_id AS subject, subject_kind AS detail FROM settlements
WHERE project_id = :project AND created_at <= :before
ORDER BY created_at, subject_id LIMIT :most;

-- name: health_recount
-- A milestone's issues by status, counted; the index holds all it needs.
SELECT status, count(*) AS n FROM issues WHERE milestone_id = :milestone GROUP BY status;

-- name: health_milestone_waits
-- What a milestone's edges and approvals add up to.
SELECT
    (SELECT count(*) FROM milestone_dependencies d WHERE d.milestone_id = :milestone AND d.state = 0) AS unmet,
    (SELECT count(*) FROM approvals a WHERE a.milestone_id = :milestone AND a.required = 1
        AND a.state IN ('pending', 'rejected')) AS approvals_open;

-- name: health_waits
-- Issues whose counters differ from their edges and approvals, in a window of numbers.
SELECT i.identifier AS subject, 'unmet ' || i.unmet || ', broken ' || i.broken || ', approvals ' || i.approvals_open AS detail
FROM issues i
WHERE i.project_id = :project AND i.number > :after AND i.number <= :upto
    AND (i.unmet <> (SELECT count(*) FROM issue_dependencies d WHERE d.issue_id = i.id AND d.state = 0)
        OR i.broken <> (SELECT count(*) FROM issue_dependencies d WHERE d.issue_id = i.id AND d.state = 2)
        OR i.approvals_open <> (SELECT count(*) FROM approvals a WHERE a.issue_id = i.id AND a.required = 1
            AND a.state IN ('pending', 'rejected')))
ORDER BY i.number LIMIT :most;

-- name: health_edges
-- Edges that were not told of what they wait for and that no settlement will tell, in a window of numbers.
SELECT i.identifier AS subject, o.identifier || ' is ' || o.status AS detail
FROM issues i JOIN issue_dependencies d ON d.issue_id = i.id JOIN issues o ON o.id = d.depends_on_id
WHERE i.project_id = :project AND i.number > :after AND i.number <= :upto
    AND d.state <> CASE o.status WHEN 'done' THEN 1 WHEN 'failed' THEN 2 WHEN 'cancelled' THEN 2 ELSE 0 END
    AND NOT EXISTS (SELECT 1 FROM settlements s WHERE s.subject_id = o.id)
ORDER BY i.number LIMIT :most;

-- name: health_reserved
-- Budgets whose reservations differ from what the live runs reserved.
SELECT b.period || ' ' || b.dimension AS subject, 'reserved ' || b.reserved AS detail
FROM budgets b
WHERE b.scope_kind = 'project' AND b.scope_id = :project AND b.dimension IN ('wall_ms', 'usd')
    AND b.reserved <> (SELECT CAST(coalesce(sum(CASE b.dimension WHEN 'usd' THEN r.reserved_usd
        ELSE r.reserved_wall_ms END), 0) AS BIGINT)
        FROM runs r WHERE r.project_id = :project AND r.live = 1 AND r.budget_day = b.period)
ORDER BY b.period, b.dimension LIMIT :most;

-- name: health_decided
-- A page of issues with the columns their events decide.
SELECT id, kind, identifier, number, status, blocked_reason, lease_epoch, attempts, verdict, accepted_commit, definition
FROM issues WHERE project_id = :project AND number > :after ORDER BY number LIMIT :most;
