-- What is wanted: projects, campaigns, milestones, issues, their edges and approvals.
-- Instants are milliseconds since the epoch, UTC. Flags are 0 or 1. Columns ending _json hold JSON text.

CREATE TABLE ledger (
    id TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    event_seq INTEGER NOT NULL DEFAULT 0,
    event_head TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE projects (
    id TEXT NOT NULL PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('git', 'folder')),
    root_commit TEXT,
    target TEXT,
    next_number INTEGER NOT NULL DEFAULT 1,
    settings_json TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL,
    event_seq INTEGER NOT NULL DEFAULT 0,
    event_head TEXT NOT NULL DEFAULT '',
    anchor_seq INTEGER NOT NULL DEFAULT 0,
    anchor_head TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE locations (
    project_id TEXT NOT NULL REFERENCES projects (id),
    machine_id TEXT NOT NULL,
    path TEXT NOT NULL,
    trusted_by TEXT,
    trusted_at INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, machine_id, path)
) STRICT;

CREATE TABLE campaigns (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    name TEXT NOT NULL,
    objective TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'archived')),
    policy_json TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL,
    event_seq INTEGER NOT NULL DEFAULT 0,
    event_head TEXT NOT NULL DEFAULT '',
    anchor_seq INTEGER NOT NULL DEFAULT 0,
    anchor_head TEXT NOT NULL DEFAULT '',
    UNIQUE (project_id, name)
) STRICT;

CREATE TABLE milestones (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    key TEXT NOT NULL,
    plan_key TEXT,
    position INTEGER NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    unmet INTEGER NOT NULL DEFAULT 0 CHECK (unmet >= 0),
    approvals_open INTEGER NOT NULL DEFAULT 0 CHECK (approvals_open >= 0),
    deadline_at INTEGER,
    metadata_json TEXT NOT NULL DEFAULT '{}',
    n_pending INTEGER NOT NULL DEFAULT 0 CHECK (n_pending >= 0),
    n_ready INTEGER NOT NULL DEFAULT 0 CHECK (n_ready >= 0),
    n_in_progress INTEGER NOT NULL DEFAULT 0 CHECK (n_in_progress >= 0),
    n_done INTEGER NOT NULL DEFAULT 0 CHECK (n_done >= 0),
    n_failed INTEGER NOT NULL DEFAULT 0 CHECK (n_failed >= 0),
    n_blocked INTEGER NOT NULL DEFAULT 0 CHECK (n_blocked >= 0),
    n_cancelled INTEGER NOT NULL DEFAULT 0 CHECK (n_cancelled >= 0),
    status TEXT NOT NULL GENERATED ALWAYS AS (CASE
        WHEN n_done > 0 AND n_pending + n_ready + n_in_progress + n_failed + n_blocked = 0 THEN 'done'
        WHEN n_failed > 0 THEN 'failed'
        WHEN n_in_progress > 0 THEN 'in_progress'
        WHEN n_ready > 0 THEN 'ready'
        WHEN n_blocked > 0 OR unmet > 0 THEN 'blocked'
        ELSE 'pending' END) STORED,
    created_at INTEGER NOT NULL,
    UNIQUE (campaign_id, key)
) STRICT;
CREATE INDEX milestones_project ON milestones (project_id, position);

CREATE TABLE milestone_dependencies (
    milestone_id TEXT NOT NULL REFERENCES milestones (id),
    depends_on_id TEXT NOT NULL REFERENCES milestones (id),
    state INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1)),
    PRIMARY KEY (milestone_id, depends_on_id),
    CHECK (milestone_id <> depends_on_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX milestone_dependents ON milestone_dependencies (depends_on_id, state, milestone_id);

CREATE TABLE lanes (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    workload_class TEXT NOT NULL,
    capabilities TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (campaign_id, workload_class, capabilities)
) STRICT;
CREATE INDEX lanes_project ON lanes (project_id, id);

CREATE TABLE issues (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    campaign_id TEXT NOT NULL REFERENCES campaigns (id),
    milestone_id TEXT REFERENCES milestones (id),
    lane_id TEXT NOT NULL REFERENCES lanes (id),
    number INTEGER NOT NULL,
    identifier TEXT NOT NULL UNIQUE,
    plan_key TEXT,
    key TEXT,
    task TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    size TEXT NOT NULL DEFAULT 'M' CHECK (size IN ('S', 'M', 'L', 'XL')),
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 3),
    status TEXT NOT NULL
        CHECK (status IN ('pending', 'ready', 'in_progress', 'done', 'failed', 'blocked', 'cancelled')),
    blocked_reason TEXT,
    unmet INTEGER NOT NULL DEFAULT 0 CHECK (unmet >= 0),
    broken INTEGER NOT NULL DEFAULT 0 CHECK (broken >= 0),
    approvals_open INTEGER NOT NULL DEFAULT 0 CHECK (approvals_open >= 0),
    lease_epoch INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    forgiven INTEGER NOT NULL DEFAULT 0,
    breaks INTEGER NOT NULL DEFAULT 0,
    gate_errors INTEGER NOT NULL DEFAULT 0,
    wall_ms INTEGER NOT NULL DEFAULT 0,
    verdict TEXT,
    accepted_commit TEXT,
    definition TEXT NOT NULL,
    effective_priority INTEGER NOT NULL CHECK (effective_priority BETWEEN 0 AND 3),
    claim_rank INTEGER NOT NULL DEFAULT 0,
    unbreached INTEGER NOT NULL DEFAULT 1 CHECK (unbreached IN (0, 1)),
    deadline_key INTEGER NOT NULL DEFAULT 9223372036854775807,
    parked INTEGER NOT NULL DEFAULT 0 CHECK (parked IN (0, 1, 2)),
    parked_by TEXT,
    not_before INTEGER,
    due_at INTEGER,
    breaches TEXT NOT NULL DEFAULT '',
    deadline_at INTEGER,
    ready_at INTEGER,
    gates_json TEXT NOT NULL DEFAULT '[]',
    budget_json TEXT NOT NULL DEFAULT '{}',
    labels_json TEXT NOT NULL DEFAULT '[]',
    files_json TEXT NOT NULL DEFAULT '[]',
    policy_json TEXT NOT NULL DEFAULT '{}',
    metadata_json TEXT NOT NULL DEFAULT '{}',
    planned_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    ended_at INTEGER,
    event_seq INTEGER NOT NULL DEFAULT 0,
    event_head TEXT NOT NULL DEFAULT '',
    anchor_seq INTEGER NOT NULL DEFAULT 0,
    anchor_head TEXT NOT NULL DEFAULT '',
    UNIQUE (project_id, number),
    CHECK ((status = 'blocked') = (blocked_reason IS NOT NULL)),
    CHECK (status <> 'ready' OR (unmet = 0 AND broken = 0 AND approvals_open = 0)),
    CHECK (status <> 'done' OR coalesce(verdict, '') IN ('verified', 'unverified')),
    CHECK (parked = 0 OR status = 'ready')
) STRICT;
CREATE INDEX issues_claim ON issues (lane_id, claim_rank, unbreached, deadline_key, created_at, id)
    WHERE status = 'ready' AND parked = 0;
CREATE INDEX issues_timer ON issues (project_id, not_before) WHERE status = 'ready' AND parked = 1;
CREATE INDEX issues_waiting_files ON issues (parked_by) WHERE parked = 2;
CREATE INDEX issues_due ON issues (project_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX issues_milestone ON issues (milestone_id, status, id);
CREATE INDEX issues_status ON issues (project_id, status, number);
CREATE INDEX issues_promotable ON issues (milestone_id, status, id)
    WHERE status = 'pending' AND unmet = 0 AND broken = 0 AND approvals_open = 0;
CREATE INDEX issues_recovery ON issues (project_id, claim_rank, id) WHERE status = 'ready' AND breaks > 0;
CREATE UNIQUE INDEX issues_plan ON issues (project_id, plan_key, milestone_id, key) WHERE plan_key IS NOT NULL;

CREATE TABLE issue_dependencies (
    issue_id TEXT NOT NULL REFERENCES issues (id),
    depends_on_id TEXT NOT NULL REFERENCES issues (id),
    state INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)),
    PRIMARY KEY (issue_id, depends_on_id),
    CHECK (issue_id <> depends_on_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX issue_dependents ON issue_dependencies (depends_on_id, state, issue_id);

CREATE TABLE approvals (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    issue_id TEXT REFERENCES issues (id),
    milestone_id TEXT REFERENCES milestones (id),
    name TEXT NOT NULL,
    label TEXT NOT NULL DEFAULT '',
    required INTEGER NOT NULL CHECK (required IN (0, 1)),
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'waived')),
    subject TEXT,
    note TEXT NOT NULL DEFAULT '',
    decided_by TEXT,
    decided_at INTEGER,
    CHECK ((issue_id IS NULL) <> (milestone_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX approvals_issue ON approvals (issue_id, name) WHERE issue_id IS NOT NULL;
CREATE UNIQUE INDEX approvals_milestone ON approvals (milestone_id, name) WHERE milestone_id IS NOT NULL;
CREATE INDEX approvals_waiting ON approvals (project_id, id) WHERE required = 1 AND state = 'pending';
