-- What bounds it and what needs a person: budgets, holds, breakers, attention, settlements, locks, views.
-- Instants are milliseconds since the epoch, UTC. Flags are 0 or 1. Columns ending _json hold JSON text.

CREATE TABLE caps (
    scope_kind TEXT NOT NULL,
    scope_id TEXT NOT NULL,
    dimension TEXT NOT NULL,
    cap INTEGER,
    set_by TEXT NOT NULL,
    PRIMARY KEY (scope_kind, scope_id, dimension)
) STRICT, WITHOUT ROWID;

CREATE TABLE budgets (
    scope_kind TEXT NOT NULL,
    scope_id TEXT NOT NULL,
    period TEXT NOT NULL,
    dimension TEXT NOT NULL,
    cap INTEGER,
    spent INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0),
    reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    PRIMARY KEY (scope_kind, scope_id, period, dimension)
) STRICT, WITHOUT ROWID;

CREATE TABLE holds (
    scope_kind TEXT NOT NULL,
    scope_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    until INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (scope_kind, scope_id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE breakers (
    scope_kind TEXT NOT NULL,
    scope_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    reason TEXT NOT NULL,
    opened_at INTEGER,
    closed_at INTEGER,
    closed_by TEXT,
    PRIMARY KEY (scope_kind, scope_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE attention (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id),
    issue_id TEXT REFERENCES issues (id),
    dedup TEXT NOT NULL,
    kind TEXT NOT NULL,
    question TEXT NOT NULL,
    command TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    notified_at INTEGER,
    resolved_at INTEGER,
    resolved_by TEXT
) STRICT;
CREATE UNIQUE INDEX attention_open ON attention (dedup) WHERE resolved_at IS NULL;
CREATE INDEX attention_project ON attention (project_id, id) WHERE resolved_at IS NULL;
CREATE INDEX attention_issue ON attention (issue_id) WHERE resolved_at IS NULL;
CREATE INDEX attention_unsent ON attention (id) WHERE notified_at IS NULL AND resolved_at IS NULL;

CREATE TABLE settlements (
    subject_id TEXT NOT NULL PRIMARY KEY,
    subject_kind TEXT NOT NULL CHECK (subject_kind IN ('issue', 'milestone', 'promote')),
    project_id TEXT NOT NULL REFERENCES projects (id),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX settlements_project ON settlements (project_id);

CREATE TABLE locks (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE VIEW issues_readable AS
SELECT identifier, status, blocked_reason, task, priority, attempts, verdict, accepted_commit,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') AS created,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1000.0, 'unixepoch') AS updated
FROM issues;

CREATE VIEW events_readable AS
SELECT seq, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS at, kind, subject_kind, subject_id, actor, cause, data_json
FROM events;
