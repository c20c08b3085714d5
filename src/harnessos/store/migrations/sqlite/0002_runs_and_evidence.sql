-- What was done: runs with their leases, checkpoints, events, evidence, verdicts.
-- Instants are milliseconds since the epoch, UTC. Flags are 0 or 1. Columns ending _json hold JSON text.

CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    issue_id TEXT NOT NULL REFERENCES issues (id),
    attempt INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    live INTEGER NOT NULL CHECK (live IN (0, 1)),
    phase TEXT NOT NULL CHECK (phase IN ('claimed', 'running', 'verifying', 'ended')),
    supervised INTEGER NOT NULL CHECK (supervised IN (0, 1)),
    agent TEXT NOT NULL,
    host TEXT NOT NULL DEFAULT '',
    token_hash TEXT NOT NULL UNIQUE,
    machine_id TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_started INTEGER NOT NULL,
    ttl_ms INTEGER NOT NULL CHECK (ttl_ms > 0),
    expires_at INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL,
    progress_at INTEGER NOT NULL,
    cap_at INTEGER,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    turns INTEGER NOT NULL DEFAULT 0,
    rejections INTEGER NOT NULL DEFAULT 0,
    agent_machine TEXT,
    agent_boot TEXT,
    agent_pid INTEGER,
    agent_started INTEGER,
    verifier TEXT,
    close_request TEXT,
    stop_request TEXT,
    path TEXT,
    worktree TEXT,
    branch TEXT,
    base_commit TEXT,
    commit_id TEXT,
    salvage_ref TEXT,
    outcome TEXT,
    reason TEXT NOT NULL DEFAULT '',
    verdict TEXT,
    budget_day TEXT NOT NULL,
    budget_json TEXT NOT NULL DEFAULT '{}',
    reserved_wall_ms INTEGER NOT NULL DEFAULT 0,
    reserved_usd INTEGER NOT NULL DEFAULT 0,
    spent_usd INTEGER,
    spent_tokens INTEGER,
    output_bytes INTEGER NOT NULL DEFAULT 0,
    checkpoints INTEGER NOT NULL DEFAULT 0,
    UNIQUE (issue_id, epoch),
    CHECK (live = 1 OR (phase = 'ended' AND ended_at IS NOT NULL AND outcome IS NOT NULL)),
    CHECK (live = 0 OR phase <> 'ended')
) STRICT;
CREATE UNIQUE INDEX runs_live ON runs (issue_id) WHERE live = 1;
CREATE INDEX runs_expiry ON runs (expires_at) WHERE live = 1;
CREATE INDEX runs_holder ON runs (machine_id, id) WHERE live = 1;
CREATE INDEX runs_project ON runs (project_id, id);
CREATE INDEX runs_working ON runs (project_id, id) WHERE live = 1;
CREATE INDEX runs_ended ON runs (project_id, ended_at, id) WHERE live = 0;

CREATE TABLE run_files (
    project_id TEXT NOT NULL REFERENCES projects (id),
    path TEXT NOT NULL,
    run_id TEXT NOT NULL REFERENCES runs (id),
    PRIMARY KEY (project_id, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_files_run ON run_files (run_id);

CREATE TABLE slots (
    machine_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    project_id TEXT NOT NULL REFERENCES projects (id),
    run_id TEXT NOT NULL UNIQUE REFERENCES runs (id),
    PRIMARY KEY (machine_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX slots_project ON slots (project_id);

CREATE TABLE intents (
    id TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id),
    epoch INTEGER NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'confirmed', 'undone')),
    detail_json TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL,
    settled_at INTEGER
) STRICT;
CREATE INDEX intents_open ON intents (run_id, id) WHERE state = 'open';

CREATE TABLE checkpoints (
    id TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id),
    issue_id TEXT NOT NULL REFERENCES issues (id),
    number INTEGER NOT NULL,
    derived INTEGER NOT NULL CHECK (derived IN (0, 1)),
    title TEXT NOT NULL,
    summary TEXT NOT NULL,
    next_step TEXT NOT NULL,
    body_json TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (run_id, number)
) STRICT;
CREATE INDEX checkpoints_issue ON checkpoints (issue_id, id);

CREATE TABLE events (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    subject_seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    cause TEXT NOT NULL,
    run_id TEXT,
    epoch INTEGER,
    data_json TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (subject_id, subject_seq)
) STRICT;

CREATE TABLE artifacts (
    id TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id),
    issue_id TEXT NOT NULL REFERENCES issues (id),
    kind TEXT NOT NULL,
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX artifacts_run ON artifacts (run_id, id);

CREATE TABLE evidence (
    id TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id),
    epoch INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    gate TEXT NOT NULL,
    kind TEXT NOT NULL,
    required INTEGER NOT NULL CHECK (required IN (0, 1)),
    passed INTEGER CHECK (passed IN (0, 1)),
    exit_code INTEGER,
    subject TEXT NOT NULL,
    tree_state TEXT NOT NULL DEFAULT '',
    output_sha256 TEXT NOT NULL DEFAULT '',
    duration_ms INTEGER NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    excerpt TEXT NOT NULL DEFAULT '',
    log TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX evidence_run ON evidence (run_id, id);

CREATE TABLE verdicts (
    id TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id),
    issue_id TEXT NOT NULL REFERENCES issues (id),
    turn INTEGER NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('verified', 'unverified', 'rejected', 'needs_review', 'error')),
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX verdicts_issue ON verdicts (issue_id, id);
CREATE INDEX verdicts_run ON verdicts (run_id, id);
