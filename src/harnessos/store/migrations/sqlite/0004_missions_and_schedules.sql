-- Missions: standing issues with their documents, memory and dreams; and schedules with their firings.
-- Instants are milliseconds since the epoch, UTC. Flags are 0 or 1. Columns ending _json hold JSON text.

ALTER TABLE issues ADD COLUMN kind TEXT NOT NULL DEFAULT 'task' CHECK (kind IN ('task', 'standing', 'dispatched'));
ALTER TABLE issues ADD COLUMN parent_id TEXT REFERENCES issues (id);
CREATE INDEX issues_children ON issues (parent_id, status, number) WHERE parent_id IS NOT NULL;

CREATE TABLE missions (
    id TEXT NOT NULL PRIMARY KEY,
    issue_id TEXT NOT NULL UNIQUE REFERENCES issues (id),
    project_id TEXT NOT NULL REFERENCES projects (id),
    name TEXT NOT NULL,
    machine_id TEXT NOT NULL,
    workspace TEXT NOT NULL,
    runner_json TEXT NOT NULL DEFAULT '{}',
    status TEXT NOT NULL DEFAULT 'idle'
        CHECK (status IN ('idle', 'running', 'completed', 'failed', 'blocked', 'mission_complete')),
    breaker TEXT NOT NULL DEFAULT 'off' CHECK (breaker IN ('off', 'tripped')),
    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
    max_failures INTEGER NOT NULL DEFAULT 3 CHECK (max_failures > 0),
    blocking_reason TEXT NOT NULL DEFAULT '',
    tripped_at INTEGER,
    step TEXT NOT NULL DEFAULT 'Step 0',
    steps_json TEXT NOT NULL DEFAULT '[]',
    artifact TEXT NOT NULL DEFAULT '',
    last_result TEXT NOT NULL DEFAULT '',
    last_run_at INTEGER,
    stuck_at INTEGER,
    runs INTEGER NOT NULL DEFAULT 0,
    successes INTEGER NOT NULL DEFAULT 0,
    faults INTEGER NOT NULL DEFAULT 0,
    claim_json TEXT NOT NULL DEFAULT '{}',
    judged_json TEXT NOT NULL DEFAULT '{}',
    revision INTEGER NOT NULL DEFAULT 1,
    rendered_json TEXT NOT NULL DEFAULT '{}',
    archived INTEGER NOT NULL DEFAULT 0,
    cleaned INTEGER NOT NULL DEFAULT 0,
    dreamt_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX missions_here ON missions (machine_id, workspace);
CREATE INDEX missions_project ON missions (project_id, id);

CREATE TABLE mission_runs (
    run_id TEXT NOT NULL PRIMARY KEY REFERENCES runs (id),
    mission_id TEXT NOT NULL REFERENCES missions (id),
    number INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('run', 'dream')),
    trigger TEXT NOT NULL,
    nominal_at INTEGER,
    began_step TEXT NOT NULL,
    claim TEXT NOT NULL DEFAULT '' CHECK (claim IN ('', 'done', 'fail', 'blocked')),
    step TEXT NOT NULL DEFAULT '',
    note TEXT NOT NULL DEFAULT '',
    result TEXT NOT NULL DEFAULT '' CHECK (result IN ('', 'passed', 'failed', 'not_verifiable')),
    checks_json TEXT NOT NULL DEFAULT '[]',
    lines INTEGER NOT NULL DEFAULT 0,
    documents_json TEXT NOT NULL DEFAULT '{}',
    changed TEXT NOT NULL DEFAULT '',
    UNIQUE (mission_id, kind, number)
) STRICT;

CREATE TABLE mission_topics (
    mission_id TEXT NOT NULL REFERENCES missions (id),
    slug TEXT NOT NULL,
    title TEXT NOT NULL,
    entries INTEGER NOT NULL DEFAULT 0,
    verified INTEGER NOT NULL DEFAULT 0 CHECK (verified IN (0, 1)),
    run_id TEXT REFERENCES runs (id),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (mission_id, slug)
) STRICT, WITHOUT ROWID;
CREATE INDEX mission_topics_run ON mission_topics (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE mission_dreams (
    id TEXT NOT NULL PRIMARY KEY,
    mission_id TEXT NOT NULL REFERENCES missions (id),
    run_id TEXT NOT NULL REFERENCES runs (id),
    state TEXT NOT NULL CHECK (state IN ('planned', 'applied', 'skipped', 'undone')),
    summary_json TEXT NOT NULL DEFAULT '{}',
    at INTEGER NOT NULL,
    undone_at INTEGER
) STRICT;
CREATE INDEX mission_dreams_of ON mission_dreams (mission_id, id);

CREATE TABLE schedules (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    mission_id TEXT REFERENCES missions (id),
    name TEXT NOT NULL,
    target TEXT NOT NULL CHECK (target IN ('issue', 'plan', 'mission', 'dream')),
    target_json TEXT NOT NULL DEFAULT '{}',
    rule TEXT NOT NULL,
    timezone TEXT NOT NULL DEFAULT 'UTC',
    misfire TEXT NOT NULL DEFAULT 'once' CHECK (misfire IN ('skip', 'once', 'all')),
    lateness_ms INTEGER NOT NULL DEFAULT 3600000 CHECK (lateness_ms >= 0),
    overlap TEXT NOT NULL DEFAULT 'forbid' CHECK (overlap IN ('forbid', 'allow', 'replace')),
    jitter_ms INTEGER NOT NULL DEFAULT 0 CHECK (jitter_ms >= 0),
    check_json TEXT,
    once INTEGER NOT NULL DEFAULT 0 CHECK (once IN (0, 1)),
    ends_at INTEGER,
    paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    anchor_at INTEGER NOT NULL,
    next_at INTEGER,
    fires_at INTEGER,
    last_at INTEGER,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (project_id, name)
) STRICT;
CREATE INDEX schedules_due ON schedules (fires_at, id) WHERE paused = 0 AND fires_at IS NOT NULL;
CREATE INDEX schedules_mission ON schedules (mission_id) WHERE mission_id IS NOT NULL;

CREATE TABLE schedule_firings (
    schedule_id TEXT NOT NULL REFERENCES schedules (id),
    nominal_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('fired', 'skipped')),
    reason TEXT NOT NULL DEFAULT '',
    issue_id TEXT REFERENCES issues (id),
    run_id TEXT REFERENCES runs (id),
    PRIMARY KEY (schedule_id, nominal_at)
) STRICT, WITHOUT ROWID;
