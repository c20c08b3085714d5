-- What bounds it and what needs a person: budgets, holds, breakers, attention, settlements, locks, views.
-- Instants are milliseconds since the epoch, UTC. Flags are 0 or 1. Columns ending _json hold JSON text.

CREATE TABLE caps (
    scope_kind TEXT COLLATE "C" NOT NULL,
    scope_id TEXT COLLATE "C" NOT NULL,
    dimension TEXT COLLATE "C" NOT NULL,
    cap BIGINT,
    set_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (scope_kind, scope_id, dimension)
);

CREATE TABLE budgets (
    scope_kind TEXT COLLATE "C" NOT NULL,
    scope_id TEXT COLLATE "C" NOT NULL,
    period TEXT COLLATE "C" NOT NULL,
    dimension TEXT COLLATE "C" NOT NULL,
    cap BIGINT,
    spent BIGINT NOT NULL DEFAULT 0 CHECK (spent >= 0),
    reserved BIGINT NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    PRIMARY KEY (scope_kind, scope_id, period, dimension)
);

CREATE TABLE holds (
    scope_kind TEXT COLLATE "C" NOT NULL,
    scope_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    until BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (scope_kind, scope_id, kind)
);

CREATE TABLE breakers (
    scope_kind TEXT COLLATE "C" NOT NULL,
    scope_id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'closed')),
    reason TEXT COLLATE "C" NOT NULL,
    opened_at BIGINT,
    closed_at BIGINT,
    closed_by TEXT COLLATE "C",
    PRIMARY KEY (scope_kind, scope_id)
);

CREATE TABLE attention (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    issue_id TEXT COLLATE "C" REFERENCES issues (id),
    dedup TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    question TEXT COLLATE "C" NOT NULL,
    command TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    notified_at BIGINT,
    resolved_at BIGINT,
    resolved_by TEXT COLLATE "C"
);
CREATE UNIQUE INDEX attention_open ON attention (dedup) WHERE resolved_at IS NULL;
CREATE INDEX attention_project ON attention (project_id, id) WHERE resolved_at IS NULL;
CREATE INDEX attention_issue ON attention (issue_id) WHERE resolved_at IS NULL;
CREATE INDEX attention_unsent ON attention (id) WHERE notified_at IS NULL AND resolved_at IS NULL;

CREATE TABLE settlements (
    subject_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    subject_kind TEXT COLLATE "C" NOT NULL CHECK (subject_kind IN ('issue', 'milestone', 'promote')),
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    created_at BIGINT NOT NULL
);
CREATE INDEX settlements_project ON settlements (project_id);

CREATE TABLE locks (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE VIEW issues_readable AS
SELECT identifier, status, blocked_reason, task, priority, attempts, verdict, accepted_commit,
    to_timestamp(created_at / 1000.0) AS created,
    to_timestamp(updated_at / 1000.0) AS updated
FROM issues;

CREATE VIEW events_readable AS
SELECT seq, to_timestamp(at / 1000.0) AS at, kind, subject_kind, subject_id, actor, cause, data_json
FROM events;
