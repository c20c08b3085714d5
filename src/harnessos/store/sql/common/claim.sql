-- name: claim_chores
-- What a claim must tidy before it chooses: one row of flags, so that a quiet ledger costs one statement.
-- `|| ''` keeps the planner from walking the project: issues that wait for files are few and have an index.
SELECT EXISTS (SELECT 1 FROM runs WHERE live = 1 AND expires_at <= :now) AS expired,
    EXISTS (SELECT 1 FROM settlements WHERE project_id = :project) AS unsettled,
    EXISTS (SELECT 1 FROM issues WHERE project_id = :project AND status = 'ready' AND parked = 1
        AND not_before <= :now) AS sleeping,
    EXISTS (SELECT 1 FROM issues WHERE project_id = :project AND due_at <= :now) AS due,
    EXISTS (SELECT 1 FROM issues i WHERE i.parked = 2 AND i.parked_by > '' AND i.project_id || '' = :project AND NOT EXISTS
        (SELECT 1 FROM runs r WHERE r.id = i.parked_by AND r.live = 1)) AS stranded,
    EXISTS (SELECT 1 FROM holds WHERE scope_id = :project OR scope_kind = 'provider') AS held;

-- name: claim_lock
-- SQLite's write transaction already excludes every other claim.
SELECT :project AS project;
