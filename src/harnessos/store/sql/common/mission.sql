-- name: mission_insert
-- A new mission, with its standing as the columns' defaults have it.
INSERT INTO missions (id, issue_id, project_id, name, machine_id, workspace, runner_json, max_failures, created_at)
VALUES (:id, :issue, :project, :name, :machine_id, :workspace, :runner_json, :max_failures, :now);

-- name: mission_by_id
-- A mission with its issue's identifier.
SELECT m.*, i.identifier, i.status AS issue_status, EXISTS (SELECT 1 FROM holds h
    WHERE h.scope_kind = 'mission' AND h.scope_id = m.issue_id AND h.kind = 'operator') AS paused
FROM missions m JOIN issues i ON i.id = m.issue_id WHERE m.id = :id;

-- name: mission_by_issue
-- The mission that an issue is.
SELECT m.*, i.identifier, i.status AS issue_status FROM missions m JOIN issues i ON i.id = m.issue_id
WHERE m.issue_id = :issue;

-- name: mission_at
-- The missions whose workspace is this folder of this machine, newest first.
SELECT m.*, i.identifier, i.status AS issue_status FROM missions m JOIN issues i ON i.id = m.issue_id
WHERE m.machine_id = :machine_id AND m.workspace = :workspace ORDER BY m.id DESC;

-- name: mission_list
-- The missions of a ledger, oldest first.
SELECT m.*, i.identifier, i.status AS issue_status, p.key AS project_key, EXISTS (SELECT 1 FROM holds h
    WHERE h.scope_kind = 'mission' AND h.scope_id = m.issue_id AND h.kind = 'operator') AS paused
FROM missions m JOIN issues i ON i.id = m.issue_id JOIN projects p ON p.id = m.project_id
WHERE m.id > :after ORDER BY m.id LIMIT :most;

-- name: mission_change
-- The one statement that moves a mission: its standing, all of it, and a new revision for what is rendered from it.
UPDATE missions SET status = :status, breaker = :breaker, failures = :failures, max_failures = :max_failures,
    blocking_reason = :blocking_reason, tripped_at = :tripped_at, step = :step, steps_json = :steps_json,
    artifact = :artifact, last_result = :last_result, last_run_at = :last_run_at, stuck_at = :stuck_at, runs = :runs,
    successes = :successes, faults = :faults, claim_json = :claim_json, revision = revision + 1
WHERE id = :id;

-- name: mission_touch
-- Something that is rendered changed beside the standing: a topic, a schedule, a note.
UPDATE missions SET revision = revision + 1 WHERE id = :id;

-- name: mission_place
-- Where the mission lies and what drives it.
UPDATE missions SET name = :name, machine_id = :machine_id, workspace = :workspace, runner_json = :runner_json,
    revision = revision + 1
WHERE id = :id;

-- name: mission_judged
-- What the last evaluation said, and of which files.
UPDATE missions SET judged_json = :judged_json WHERE id = :id;

-- name: mission_rendered
-- Which bytes are about to be written to the rendered documents, and which were written before.
UPDATE missions SET rendered_json = :rendered_json WHERE id = :id;

-- name: mission_cleaned
-- Runs up to `archived` left progress.md; cleanup was last done at run number `cleaned`.
UPDATE missions SET archived = :archived, cleaned = :cleaned, revision = revision + 1 WHERE id = :id;

-- name: mission_dreamt
-- When the last dream was applied or found nothing new.
UPDATE missions SET dreamt_at = :now, revision = revision + 1 WHERE id = :id;

-- name: mission_run_insert
-- A run of a mission, with what its documents were when it began.
INSERT INTO mission_runs (run_id, mission_id, number, kind, trigger, nominal_at, began_step, documents_json)
VALUES (:run, :mission, :number, :kind, :trigger, :nominal_at, :step, :documents_json);

-- name: mission_run_by_id
-- A mission's part of a run.
SELECT * FROM mission_runs WHERE run_id = :run;

-- name: mission_run_last
-- The newest number of a kind of run.
SELECT max(number) AS number FROM mission_runs WHERE mission_id = :mission AND kind = :kind;

-- name: mission_run_list
-- A mission's runs with what the ledger knows of them, newest first.
SELECT r.id, r.live, r.phase, r.outcome, r.reason, r.started_at, r.ended_at, r.agent, r.supervised, r.spent_usd,
    r.spent_tokens, r.expires_at, r.turns, n.number, n.kind, n.trigger, n.nominal_at, n.began_step, n.claim, n.step,
    n.note, n.result, n.checks_json, n.lines, n.documents_json, n.changed
FROM mission_runs n JOIN runs r ON r.id = n.run_id
WHERE n.mission_id = :mission AND n.kind = :kind AND n.number < :before ORDER BY n.number DESC LIMIT :most;

-- name: mission_run_results
-- What became of each run's claim: whose insights are verified.
SELECT run_id, result FROM mission_runs WHERE mission_id = :mission AND result <> '';

-- name: mission_run_say
-- What the run's agent says at its end, and whether the constitution changed meanwhile.
UPDATE mission_runs SET claim = :claim, step = :step, note = :note, changed = :changed WHERE run_id = :run;

-- name: mission_run_result
-- What an evaluation made of a run's claim.
UPDATE mission_runs SET result = :result, checks_json = :checks_json WHERE run_id = :run;

-- name: mission_run_verdict
-- The same in the words of runs; the run is over, the mission's open claim is the fence.
UPDATE runs SET verdict = :verdict WHERE id = :run AND live = 0;

-- name: mission_topic_set
-- The pointer to a topic, as the last run that wrote it left it.
INSERT INTO mission_topics (mission_id, slug, title, entries, verified, run_id, updated_at)
VALUES (:mission, :slug, :title, :entries, :verified, :run, :now)
ON CONFLICT (mission_id, slug) DO UPDATE SET title = :title, entries = :entries, verified = :verified, run_id = :run,
    updated_at = :now;

-- name: mission_topic_list
-- The pointers of a mission, newest first.
SELECT slug, title, entries, verified, run_id, updated_at FROM mission_topics
WHERE mission_id = :mission ORDER BY updated_at DESC, slug;

-- name: mission_topic_drop
-- A pointer whose file is gone.
DELETE FROM mission_topics WHERE mission_id = :mission AND slug = :slug;

-- name: mission_topic_judge
-- An evaluation decides whether what a run learnt is verified.
UPDATE mission_topics SET verified = :verified WHERE mission_id = :mission AND run_id = :run;

-- name: mission_dream_insert
-- A dream that is about to be applied.
INSERT INTO mission_dreams (id, mission_id, run_id, state, summary_json, at)
VALUES (:id, :mission, :run, :state, :summary_json, :now);

-- name: mission_dream_state
-- What became of a dream.
UPDATE mission_dreams SET state = :state, undone_at = :undone_at WHERE id = :id;

-- name: mission_dream_list
-- The dreams of a mission, newest first.
SELECT id, run_id, state, summary_json, at, undone_at FROM mission_dreams
WHERE mission_id = :mission ORDER BY id DESC LIMIT :most;

-- name: mission_hold
-- Why a mission is held, if it is.
SELECT reason FROM holds WHERE scope_kind = :scope_kind AND scope_id = :issue AND kind = :kind;

-- name: mission_issue_insert
-- The standing issue that a mission is, or a task dispatched below it. It lies in a lane and is never taken from there.
INSERT INTO issues (id, project_id, campaign_id, lane_id, number, identifier, task, priority, status, definition,
    effective_priority, planned_by, created_at, updated_at, event_seq, event_head, kind, parent_id, budget_json)
VALUES (:id, :project, :campaign, :lane, :number, :identifier, :task, 2, 'pending', :definition, 2, :planned_by, :now,
    :now, :event_seq, :event_head, :kind, :parent, :budget_json);

-- name: mission_next_firing
-- When a mission is due next, by what it is due for.
SELECT id, fires_at FROM schedules WHERE mission_id = :mission AND target = :target AND paused = 0 AND fires_at IS NOT NULL
ORDER BY fires_at LIMIT :one;

-- name: mission_run_documents
-- What the documents were when a run that a schedule began was taken up.
UPDATE mission_runs SET documents_json = :documents_json WHERE run_id = :run;

-- name: mission_here
-- The missions that lie on a machine and may run, oldest first.
SELECT m.*, i.identifier, i.status AS issue_status FROM missions m JOIN issues i ON i.id = m.issue_id
WHERE m.machine_id = :machine_id AND m.id > :after AND i.status = 'pending' ORDER BY m.id LIMIT :most;

-- name: mission_driven_here
-- Live runs of missions that processes of this machine watch.
SELECT r.*, m.id AS mission_id FROM runs r JOIN missions m ON m.issue_id = r.issue_id
WHERE r.live = 1 AND r.supervised = 1 AND r.machine_id = :machine_id ORDER BY r.id;

-- name: mission_asked
-- What a mission asks a person.
SELECT id, kind, question, command, created_at FROM attention WHERE issue_id = :issue AND resolved_at IS NULL ORDER BY id;

-- name: mission_skips
-- The firings of a mission that began no run, and why, newest first.
SELECT f.nominal_at, f.reason FROM schedules s JOIN schedule_firings f ON f.schedule_id = s.id
WHERE s.mission_id = :mission AND f.outcome = 'skipped' AND f.nominal_at >= :since ORDER BY f.nominal_at DESC LIMIT :most;

-- name: mission_issue_name
-- The mission's name, where issues are listed.
UPDATE issues SET task = :name WHERE id = :issue;
