-- What is wanted: projects, campaigns, milestones, issues, their edges and approvals.
-- Instants are milliseconds since the epoch, UTC. Flags are 0 or 1. Columns ending _json hold JSON text.

CREATE TABLE ledger (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL,
    event_seq BIGINT NOT NULL DEFAULT 0,
    event_head TEXT COLLATE "C" NOT NULL DEFAULT ''
);

CREATE TABLE projects (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    key TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('git', 'folder')),
    root_commit TEXT COLLATE "C",
    target TEXT COLLATE "C",
    next_number BIGINT NOT NULL DEFAULT 1,
    settings_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    created_at BIGINT NOT NULL,
    event_seq BIGINT NOT NULL DEFAULT 0,
    event_head TEXT COLLATE "C" NOT NULL DEFAULT '',
    anchor_seq BIGINT NOT NULL DEFAULT 0,
    anchor_head TEXT COLLATE "C" NOT NULL DEFAULT ''
);

CREATE TABLE locations (
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    machine_id TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    trusted_by TEXT COLLATE "C",
    trusted_at BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (project_id, machine_id, path)
);

CREATE TABLE campaigns (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    name TEXT COLLATE "C" NOT NULL,
    objective TEXT COLLATE "C" NOT NULL DEFAULT '',
    status TEXT COLLATE "C" NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'archived')),
    policy_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    created_at BIGINT NOT NULL,
    event_seq BIGINT NOT NULL DEFAULT 0,
    event_head TEXT COLLATE "C" NOT NULL DEFAULT '',
    anchor_seq BIGINT NOT NULL DEFAULT 0,
    anchor_head TEXT COLLATE "C" NOT NULL DEFAULT '',
    UNIQUE (project_id, name)
);

CREATE TABLE milestones (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    campaign_id TEXT COLLATE "C" NOT NULL REFERENCES campaigns (id),
    key TEXT COLLATE "C" NOT NULL,
    plan_key TEXT COLLATE "C",
    position BIGINT NOT NULL,
    description TEXT COLLATE "C" NOT NULL DEFAULT '',
    unmet BIGINT NOT NULL DEFAULT 0 CHECK (unmet >= 0),
    approvals_open BIGINT NOT NULL DEFAULT 0 CHECK (approvals_open >= 0),
    deadline_at BIGINT,
    metadata_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    n_pending BIGINT NOT NULL DEFAULT 0 CHECK (n_pending >= 0),
    n_ready BIGINT NOT NULL DEFAULT 0 CHECK (n_ready >= 0),
    n_in_progress BIGINT NOT NULL DEFAULT 0 CHECK (n_in_progress >= 0),
    n_done BIGINT NOT NULL DEFAULT 0 CHECK (n_done >= 0),
    n_failed BIGINT NOT NULL DEFAULT 0 CHECK (n_failed >= 0),
    n_blocked BIGINT NOT NULL DEFAULT 0 CHECK (n_blocked >= 0),
    n_cancelled BIGINT NOT NULL DEFAULT 0 CHECK (n_cancelled >= 0),
    status TEXT COLLATE "C" NOT NULL GENERATED ALWAYS AS (CASE
        WHEN n_done > 0 AND n_pending + n_ready + n_in_progress + n_failed + n_blocked = 0 THEN 'done'
        WHEN n_failed > 0 THEN 'failed'
        WHEN n_in_progress > 0 THEN 'in_progress'
        WHEN n_ready > 0 THEN 'ready'
        WHEN n_blocked > 0 OR unmet > 0 THEN 'blocked'
        ELSE 'pending' END) STORED,
    created_at BIGINT NOT NULL,
    UNIQUE (campaign_id, key)
);
CREATE INDEX milestones_project ON milestones (project_id, position);

CREATE TABLE milestone_dependencies (
    milestone_id TEXT COLLATE "C" NOT NULL REFERENCES milestones (id),
    depends_on_id TEXT COLLATE "C" NOT NULL REFERENCES milestones (id),
    state BIGINT NOT NULL DEFAULT 0 CHECK (state IN (0, 1)),
    PRIMARY KEY (milestone_id, depends_on_id),
    CHECK (milestone_id <> depends_on_id)
);
CREATE INDEX milestone_dependents ON milestone_dependencies (depends_on_id, state, milestone_id);

CREATE TABLE lanes (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    campaign_id TEXT COLLATE "C" NOT NULL REFERENCES campaigns (id),
    workload_class TEXT COLLATE "C" NOT NULL,
    capabilities TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (campaign_id, workload_class, capabilities)
);
CREATE INDEX lanes_project ON lanes (project_id, id);

CREATE TABLE issues (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    campaign_id TEXT COLLATE "C" NOT NULL REFERENCES campaigns (id),
    milestone_id TEXT COLLATE "C" REFERENCES milestones (id),
    lane_id TEXT COLLATE "C" NOT NULL REFERENCES lanes (id),
    number BIGINT NOT NULL,
    identifier TEXT COLLATE "C" NOT NULL UNIQUE,
    plan_key TEXT COLLATE "C",
    key TEXT COLLATE "C",
    task TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL DEFAULT '',
    size TEXT COLLATE "C" NOT NULL DEFAULT 'M' CHECK (size IN ('S', 'M', 'L', 'XL')),
    priority BIGINT NOT NULL CHECK (priority BETWEEN 0 AND 3),
    status TEXT COLLATE "C" NOT NULL
        CHECK (status IN ('pending', 'ready', 'in_progress', 'done', 'failed', 'blocked', 'cancelled')),
    blocked_reason TEXT COLLATE "C",
    unmet BIGINT NOT NULL DEFAULT 0 CHECK (unmet >= 0),
    broken BIGINT NOT NULL DEFAULT 0 CHECK (broken >= 0),
    approvals_open BIGINT NOT NULL DEFAULT 0 CHECK (approvals_open >= 0),
    lease_epoch BIGINT NOT NULL DEFAULT 0,
    attempts BIGINT NOT NULL DEFAULT 0,
    forgiven BIGINT NOT NULL DEFAULT 0,
    breaks BIGINT NOT NULL DEFAULT 0,
    gate_errors BIGINT NOT NULL DEFAULT 0,
    wall_ms BIGINT NOT NULL DEFAULT 0,
    verdict TEXT COLLATE "C",
    accepted_commit TEXT COLLATE "C",
    definition TEXT COLLATE "C" NOT NULL,
    effective_priority BIGINT NOT NULL CHECK (effective_priority BETWEEN 0 AND 3),
    claim_rank BIGINT NOT NULL DEFAULT 0,
    unbreached BIGINT NOT NULL DEFAULT 1 CHECK (unbreached IN (0, 1)),
    deadline_key BIGINT NOT NULL DEFAULT 9223372036854775807,
    parked BIGINT NOT NULL DEFAULT 0 CHECK (parked IN (0, 1, 2)),
    parked_by TEXT COLLATE "C",
    not_before BIGINT,
    due_at BIGINT,
    breaches TEXT COLLATE "C" NOT NULL DEFAULT '',
    deadline_at BIGINT,
    ready_at BIGINT,
    gates_json TEXT COLLATE "C" NOT NULL DEFAULT '[]',
    budget_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    labels_json TEXT COLLATE "C" NOT NULL DEFAULT '[]',
    files_json TEXT COLLATE "C" NOT NULL DEFAULT '[]',
    policy_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    metadata_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    planned_by TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    ended_at BIGINT,
    event_seq BIGINT NOT NULL DEFAULT 0,
    event_head TEXT COLLATE "C" NOT NULL DEFAULT '',
    anchor_seq BIGINT NOT NULL DEFAULT 0,
    anchor_head TEXT COLLATE "C" NOT NULL DEFAULT '',
    UNIQUE (project_id, number),
    CHECK ((status = 'blocked') = (blocked_reason IS NOT NULL)),
    CHECK (status <> 'ready' OR (unmet = 0 AND broken = 0 AND approvals_open = 0)),
    CHECK (status <> 'done' OR coalesce(verdict, '') IN ('verified', 'unverified')),
    CHECK (parked = 0 OR status = 'ready')
);
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
    issue_id TEXT COLLATE "C" NOT NULL REFERENCES issues (id),
    depends_on_id TEXT COLLATE "C" NOT NULL REFERENCES issues (id),
    state BIGINT NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)),
    PRIMARY KEY (issue_id, depends_on_id),
    CHECK (issue_id <> depends_on_id)
);
CREATE INDEX issue_dependents ON issue_dependencies (depends_on_id, state, issue_id);

CREATE TABLE approvals (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    issue_id TEXT COLLATE "C" REFERENCES issues (id),
    milestone_id TEXT COLLATE "C" REFERENCES milestones (id),
    name TEXT COLLATE "C" NOT NULL,
    label TEXT COLLATE "C" NOT NULL DEFAULT '',
    required BIGINT NOT NULL CHECK (required IN (0, 1)),
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'waived')),
    subject TEXT COLLATE "C",
    note TEXT COLLATE "C" NOT NULL DEFAULT '',
    decided_by TEXT COLLATE "C",
    decided_at BIGINT,
    CHECK ((issue_id IS NULL) <> (milestone_id IS NULL))
);
CREATE UNIQUE INDEX approvals_issue ON approvals (issue_id, name) WHERE issue_id IS NOT NULL;
CREATE UNIQUE INDEX approvals_milestone ON approvals (milestone_id, name) WHERE milestone_id IS NOT NULL;
CREATE INDEX approvals_waiting ON approvals (project_id, id) WHERE required = 1 AND state = 'pending';
