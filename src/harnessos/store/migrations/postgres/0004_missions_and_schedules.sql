-- Missions: standing issues with their documents, memory and dreams; and schedules with their firings.
-- Instants are milliseconds since the epoch, UTC. Flags are 0 or 1. Columns ending _json hold JSON text.

ALTER TABLE issues ADD COLUMN kind TEXT COLLATE "C" NOT NULL DEFAULT 'task' CHECK (kind IN ('task', 'standing', 'dispatched'));
ALTER TABLE issues ADD COLUMN parent_id TEXT COLLATE "C" REFERENCES issues (id);
CREATE INDEX issues_children ON issues (parent_id, status, number) WHERE parent_id IS NOT NULL;

CREATE TABLE missions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    issue_id TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES issues (id),
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    name TEXT COLLATE "C" NOT NULL,
    machine_id TEXT COLLATE "C" NOT NULL,
    workspace TEXT COLLATE "C" NOT NULL,
    runner_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    status TEXT COLLATE "C" NOT NULL DEFAULT 'idle'
        CHECK (status IN ('idle', 'running', 'completed', 'failed', 'blocked', 'mission_complete')),
    breaker TEXT COLLATE "C" NOT NULL DEFAULT 'off' CHECK (breaker IN ('off', 'tripped')),
    failures BIGINT NOT NULL DEFAULT 0 CHECK (failures >= 0),
    max_failures BIGINT NOT NULL DEFAULT 3 CHECK (max_failures > 0),
    blocking_reason TEXT COLLATE "C" NOT NULL DEFAULT '',
    tripped_at BIGINT,
    step TEXT COLLATE "C" NOT NULL DEFAULT 'Step 0',
    steps_json TEXT COLLATE "C" NOT NULL DEFAULT '[]',
    artifact TEXT COLLATE "C" NOT NULL DEFAULT '',
    last_result TEXT COLLATE "C" NOT NULL DEFAULT '',
    last_run_at BIGINT,
    stuck_at BIGINT,
    runs BIGINT NOT NULL DEFAULT 0,
    successes BIGINT NOT NULL DEFAULT 0,
    faults BIGINT NOT NULL DEFAULT 0,
    claim_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    judged_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    revision BIGINT NOT NULL DEFAULT 1,
    rendered_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    archived BIGINT NOT NULL DEFAULT 0,
    cleaned BIGINT NOT NULL DEFAULT 0,
    dreamt_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX missions_here ON missions (machine_id, workspace);
CREATE INDEX missions_project ON missions (project_id, id);

CREATE TABLE mission_runs (
    run_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES runs (id),
    mission_id TEXT COLLATE "C" NOT NULL REFERENCES missions (id),
    number BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('run', 'dream')),
    trigger TEXT COLLATE "C" NOT NULL,
    nominal_at BIGINT,
    began_step TEXT COLLATE "C" NOT NULL,
    claim TEXT COLLATE "C" NOT NULL DEFAULT '' CHECK (claim IN ('', 'done', 'fail', 'blocked')),
    step TEXT COLLATE "C" NOT NULL DEFAULT '',
    note TEXT COLLATE "C" NOT NULL DEFAULT '',
    result TEXT COLLATE "C" NOT NULL DEFAULT '' CHECK (result IN ('', 'passed', 'failed', 'not_verifiable')),
    checks_json TEXT COLLATE "C" NOT NULL DEFAULT '[]',
    lines BIGINT NOT NULL DEFAULT 0,
    documents_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    changed TEXT COLLATE "C" NOT NULL DEFAULT '',
    UNIQUE (mission_id, kind, number)
);

CREATE TABLE mission_topics (
    mission_id TEXT COLLATE "C" NOT NULL REFERENCES missions (id),
    slug TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    entries BIGINT NOT NULL DEFAULT 0,
    verified BIGINT NOT NULL DEFAULT 0 CHECK (verified IN (0, 1)),
    run_id TEXT COLLATE "C" REFERENCES runs (id),
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (mission_id, slug)
);
CREATE INDEX mission_topics_run ON mission_topics (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE mission_dreams (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    mission_id TEXT COLLATE "C" NOT NULL REFERENCES missions (id),
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('planned', 'applied', 'skipped', 'undone')),
    summary_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    at BIGINT NOT NULL,
    undone_at BIGINT
);
CREATE INDEX mission_dreams_of ON mission_dreams (mission_id, id);

CREATE TABLE schedules (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    mission_id TEXT COLLATE "C" REFERENCES missions (id),
    name TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL CHECK (target IN ('issue', 'plan', 'mission', 'dream')),
    target_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    rule TEXT COLLATE "C" NOT NULL,
    timezone TEXT COLLATE "C" NOT NULL DEFAULT 'UTC',
    misfire TEXT COLLATE "C" NOT NULL DEFAULT 'once' CHECK (misfire IN ('skip', 'once', 'all')),
    lateness_ms BIGINT NOT NULL DEFAULT 3600000 CHECK (lateness_ms >= 0),
    overlap TEXT COLLATE "C" NOT NULL DEFAULT 'forbid' CHECK (overlap IN ('forbid', 'allow', 'replace')),
    jitter_ms BIGINT NOT NULL DEFAULT 0 CHECK (jitter_ms >= 0),
    check_json TEXT COLLATE "C",
    once BIGINT NOT NULL DEFAULT 0 CHECK (once IN (0, 1)),
    ends_at BIGINT,
    paused BIGINT NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    anchor_at BIGINT NOT NULL,
    next_at BIGINT,
    fires_at BIGINT,
    last_at BIGINT,
    created_by TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (project_id, name)
);
CREATE INDEX schedules_due ON schedules (fires_at, id) WHERE paused = 0 AND fires_at IS NOT NULL;
CREATE INDEX schedules_mission ON schedules (mission_id) WHERE mission_id IS NOT NULL;

CREATE TABLE schedule_firings (
    schedule_id TEXT COLLATE "C" NOT NULL REFERENCES schedules (id),
    nominal_at BIGINT NOT NULL,
    at BIGINT NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('fired', 'skipped')),
    reason TEXT COLLATE "C" NOT NULL DEFAULT '',
    issue_id TEXT COLLATE "C" REFERENCES issues (id),
    run_id TEXT COLLATE "C" REFERENCES runs (id),
    PRIMARY KEY (schedule_id, nominal_at)
);
