-- What was done: runs with their leases, checkpoints, events, evidence, verdicts.
-- Instants are milliseconds since the epoch, UTC. Flags are 0 or 1. Columns ending _json hold JSON text.

CREATE TABLE runs (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    issue_id TEXT COLLATE "C" NOT NULL REFERENCES issues (id),
    attempt BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    live BIGINT NOT NULL CHECK (live IN (0, 1)),
    phase TEXT COLLATE "C" NOT NULL CHECK (phase IN ('claimed', 'running', 'verifying', 'ended')),
    supervised BIGINT NOT NULL CHECK (supervised IN (0, 1)),
    agent TEXT COLLATE "C" NOT NULL,
    host TEXT COLLATE "C" NOT NULL DEFAULT '',
    token_hash TEXT COLLATE "C" NOT NULL UNIQUE,
    machine_id TEXT COLLATE "C" NOT NULL,
    boot_id TEXT COLLATE "C" NOT NULL,
    pid BIGINT NOT NULL,
    pid_started BIGINT NOT NULL,
    ttl_ms BIGINT NOT NULL CHECK (ttl_ms > 0),
    expires_at BIGINT NOT NULL,
    heartbeat_at BIGINT NOT NULL,
    progress_at BIGINT NOT NULL,
    cap_at BIGINT,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    turns BIGINT NOT NULL DEFAULT 0,
    rejections BIGINT NOT NULL DEFAULT 0,
    agent_machine TEXT COLLATE "C",
    agent_boot TEXT COLLATE "C",
    agent_pid BIGINT,
    agent_started BIGINT,
    verifier TEXT COLLATE "C",
    close_request TEXT COLLATE "C",
    stop_request TEXT COLLATE "C",
    path TEXT COLLATE "C",
    worktree TEXT COLLATE "C",
    branch TEXT COLLATE "C",
    base_commit TEXT COLLATE "C",
    commit_id TEXT COLLATE "C",
    salvage_ref TEXT COLLATE "C",
    outcome TEXT COLLATE "C",
    reason TEXT COLLATE "C" NOT NULL DEFAULT '',
    verdict TEXT COLLATE "C",
    budget_day TEXT COLLATE "C" NOT NULL,
    budget_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    reserved_wall_ms BIGINT NOT NULL DEFAULT 0,
    reserved_usd BIGINT NOT NULL DEFAULT 0,
    spent_usd BIGINT,
    spent_tokens BIGINT,
    output_bytes BIGINT NOT NULL DEFAULT 0,
    checkpoints BIGINT NOT NULL DEFAULT 0,
    UNIQUE (issue_id, epoch),
    CHECK (live = 1 OR (phase = 'ended' AND ended_at IS NOT NULL AND outcome IS NOT NULL)),
    CHECK (live = 0 OR phase <> 'ended')
);
CREATE UNIQUE INDEX runs_live ON runs (issue_id) WHERE live = 1;
CREATE INDEX runs_expiry ON runs (expires_at) WHERE live = 1;
CREATE INDEX runs_holder ON runs (machine_id, id) WHERE live = 1;
CREATE INDEX runs_project ON runs (project_id, id);
CREATE INDEX runs_working ON runs (project_id, id) WHERE live = 1;
CREATE INDEX runs_ended ON runs (project_id, ended_at, id) WHERE live = 0;

CREATE TABLE run_files (
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    path TEXT COLLATE "C" NOT NULL,
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    PRIMARY KEY (project_id, path)
);
CREATE INDEX run_files_run ON run_files (run_id);

CREATE TABLE slots (
    machine_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    run_id TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES runs (id),
    PRIMARY KEY (machine_id, number)
);
CREATE INDEX slots_project ON slots (project_id);

CREATE TABLE intents (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    epoch BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'confirmed', 'undone')),
    detail_json TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    created_at BIGINT NOT NULL,
    settled_at BIGINT
);
CREATE INDEX intents_open ON intents (run_id, id) WHERE state = 'open';

CREATE TABLE checkpoints (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    issue_id TEXT COLLATE "C" NOT NULL REFERENCES issues (id),
    number BIGINT NOT NULL,
    derived BIGINT NOT NULL CHECK (derived IN (0, 1)),
    title TEXT COLLATE "C" NOT NULL,
    summary TEXT COLLATE "C" NOT NULL,
    next_step TEXT COLLATE "C" NOT NULL,
    body_json TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (run_id, number)
);
CREATE INDEX checkpoints_issue ON checkpoints (issue_id, id);

CREATE TABLE events (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_kind TEXT COLLATE "C" NOT NULL,
    subject_id TEXT COLLATE "C" NOT NULL,
    subject_seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    cause TEXT COLLATE "C" NOT NULL,
    run_id TEXT COLLATE "C",
    epoch BIGINT,
    data_json TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    UNIQUE (subject_id, subject_seq)
);

CREATE TABLE artifacts (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    issue_id TEXT COLLATE "C" NOT NULL REFERENCES issues (id),
    kind TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    sha256 TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX artifacts_run ON artifacts (run_id, id);

CREATE TABLE evidence (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    epoch BIGINT NOT NULL,
    turn BIGINT NOT NULL,
    gate TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    required BIGINT NOT NULL CHECK (required IN (0, 1)),
    passed BIGINT CHECK (passed IN (0, 1)),
    exit_code BIGINT,
    subject TEXT COLLATE "C" NOT NULL,
    tree_state TEXT COLLATE "C" NOT NULL DEFAULT '',
    output_sha256 TEXT COLLATE "C" NOT NULL DEFAULT '',
    duration_ms BIGINT NOT NULL,
    detail TEXT COLLATE "C" NOT NULL DEFAULT '',
    excerpt TEXT COLLATE "C" NOT NULL DEFAULT '',
    log TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL
);
CREATE INDEX evidence_run ON evidence (run_id, id);

CREATE TABLE verdicts (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    run_id TEXT COLLATE "C" NOT NULL REFERENCES runs (id),
    issue_id TEXT COLLATE "C" NOT NULL REFERENCES issues (id),
    turn BIGINT NOT NULL,
    verdict TEXT COLLATE "C" NOT NULL CHECK (verdict IN ('verified', 'unverified', 'rejected', 'needs_review', 'error')),
    subject TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX verdicts_issue ON verdicts (issue_id, id);
CREATE INDEX verdicts_run ON verdicts (run_id, id);
