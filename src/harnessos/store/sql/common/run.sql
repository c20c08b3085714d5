-- name: run_insert
-- A claim's run, with its lease.
INSERT INTO runs (id, project_id, issue_id, attempt, epoch, live, phase, supervised, agent, host, token_hash,
    machine_id, boot_id, pid, pid_started, ttl_ms, expires_at, heartbeat_at, progress_at, cap_at, started_at,
    budget_day, reserved_wall_ms, reserved_usd, path, base_commit, budget_json)
VALUES (:id, :project_id, :issue_id, :attempt, :epoch, 1, 'claimed', :supervised, :agent, :host, :token_hash,
    :machine_id, :boot_id, :pid, :pid_started, :ttl_ms, :expires_at, :now, :now, :cap_at, :now,
    :budget_day, :reserved_wall_ms, :reserved_usd, :path, :base_commit, :budget_json)
RETURNING *;

-- name: run_by_id
-- A run.
SELECT * FROM runs WHERE id = :id;

-- name: run_by_token
-- The run a session token stands for.
SELECT * FROM runs WHERE token_hash = :token_hash;

-- name: run_live_of
-- The live run of an issue.
SELECT * FROM runs WHERE issue_id = :issue AND live = 1;

-- name: run_last_of
-- The newest run of an issue.
SELECT * FROM runs WHERE issue_id = :issue ORDER BY epoch DESC LIMIT :one;

-- name: run_all_of
-- Every run of an issue, oldest first.
SELECT * FROM runs WHERE issue_id = :issue ORDER BY epoch LIMIT :most;

-- name: run_renew
-- The fenced sign of life: extends the lease, up to the wall-time cap and a grace in which the work can be closed.
-- The supervisor stops its own runs at the cap.
UPDATE runs SET heartbeat_at = :now,
    expires_at = CASE WHEN cap_at < :now THEN expires_at
        WHEN supervised = 0 AND cap_at + :grace < :now + ttl_ms THEN cap_at + :grace ELSE :now + ttl_ms END,
    stop_request = CASE WHEN cap_at < :now AND supervised = 0
        THEN coalesce(stop_request, 'the wall-time cap of a run is reached') ELSE stop_request END
WHERE id = :run AND epoch = :epoch AND live = 1
RETURNING expires_at, phase, stop_request, verdict, ttl_ms, turns;

-- name: run_renew_by_token
-- The same, by what stands for the run: a stream line of a mission.
UPDATE runs SET heartbeat_at = :now, progress_at = :now,
    expires_at = CASE WHEN cap_at < :now THEN expires_at
        WHEN supervised = 0 AND cap_at + :grace < :now + ttl_ms THEN cap_at + :grace ELSE :now + ttl_ms END
WHERE token_hash = :token_hash AND live = 1
RETURNING id, expires_at, phase, stop_request, ttl_ms;

-- name: run_line
-- A stream line of a mission's run, counted.
UPDATE mission_runs SET lines = lines + 1 WHERE run_id = :run;

-- name: run_renew_held
-- Renews every live lease that this process watches.
UPDATE runs SET heartbeat_at = :now, expires_at = :now + ttl_ms
WHERE live = 1 AND supervised = 1 AND machine_id = :machine_id AND boot_id = :boot_id AND pid = :pid
    AND pid_started = :pid_started;

-- name: run_progress
-- Notes that the run got somewhere (worktree change, session call, tool result, new tokens).
UPDATE runs SET heartbeat_at = :now, progress_at = :now, expires_at = :now + ttl_ms, output_bytes = :output_bytes
WHERE id = :run AND epoch = :epoch AND live = 1;

-- name: run_checkpoint
-- Progress with a record: counts it and extends the lease.
UPDATE runs SET heartbeat_at = :now, progress_at = :now, checkpoints = checkpoints + 1,
    expires_at = CASE WHEN supervised = 0 AND cap_at + :grace < :now + ttl_ms THEN cap_at + :grace ELSE :now + ttl_ms END
WHERE id = :run AND epoch = :epoch AND live = 1
RETURNING checkpoints, expires_at, turns;

-- name: run_worktree
-- Where the run works.
UPDATE runs SET worktree = :worktree, branch = :branch, base_commit = :base_commit, heartbeat_at = :now
WHERE id = :run AND epoch = :epoch AND live = 1;

-- name: run_launch
-- A turn begins: the agent's process answers for the run from here on.
UPDATE runs SET phase = 'running', turns = turns + 1, agent_machine = :machine_id, agent_boot = :boot_id,
    agent_pid = :pid, agent_started = :pid_started, heartbeat_at = :now, progress_at = :now,
    expires_at = :now + ttl_ms, close_request = NULL
WHERE id = :run AND epoch = :epoch AND live = 1
RETURNING turns;

-- name: run_ask
-- The agent of a supervised run asks for its verdict; the supervisor verifies after the process has ended.
UPDATE runs SET close_request = :request, commit_id = coalesce(:commit_id, commit_id), heartbeat_at = :now,
    progress_at = :now, expires_at = :now + ttl_ms
WHERE id = :run AND epoch = :epoch AND live = 1;

-- name: run_verify
-- Verification begins, for one verifier: nobody, or a dead one, holds the place. What the turn cost is counted with
-- it: a verification that is begun again after a crash counts nothing.
UPDATE runs SET phase = 'verifying', commit_id = :commit_id, verifier = :verifier, heartbeat_at = :now,
    progress_at = :now, expires_at = :now + ttl_ms,
    spent_usd = CASE WHEN phase = 'verifying' THEN spent_usd
        ELSE coalesce(spent_usd + CAST(:usd AS BIGINT), spent_usd, CAST(:usd AS BIGINT)) END,
    spent_tokens = CASE WHEN phase = 'verifying' THEN spent_tokens
        ELSE coalesce(spent_tokens + CAST(:tokens AS BIGINT), spent_tokens, CAST(:tokens AS BIGINT)) END
WHERE id = :run AND epoch = :epoch AND live = 1 AND (verifier IS NULL OR verifier = :seen);

-- name: run_reject
-- The verdict was no: the same run goes on with its next turn.
UPDATE runs SET phase = 'running', rejections = rejections + 1, verifier = NULL, close_request = NULL,
    verdict = 'rejected', heartbeat_at = :now, progress_at = :now,
    expires_at = CASE WHEN supervised = 0 AND cap_at + :grace < :now + ttl_ms THEN cap_at + :grace ELSE :now + ttl_ms END
WHERE id = :run AND epoch = :epoch AND live = 1
RETURNING rejections, turns;

-- name: run_stop
-- Asks a live run to stop; its watcher sees it at its next look.
UPDATE runs SET stop_request = :reason WHERE id = :run AND live = 1 AND stop_request IS NULL;

-- name: run_end
-- The one fenced end of a run. What a turn cost that is being verified was counted when that began.
UPDATE runs SET live = 0, phase = 'ended', ended_at = :now, outcome = :outcome, reason = :reason, verdict = :verdict,
    commit_id = coalesce(:commit_id, commit_id), verifier = NULL,
    spent_usd = CASE WHEN phase = 'verifying' THEN spent_usd
        ELSE coalesce(spent_usd + CAST(:usd AS BIGINT), spent_usd, CAST(:usd AS BIGINT)) END,
    spent_tokens = CASE WHEN phase = 'verifying' THEN spent_tokens
        ELSE coalesce(spent_tokens + CAST(:tokens AS BIGINT), spent_tokens, CAST(:tokens AS BIGINT)) END,
    salvage_ref = coalesce(:salvage_ref, salvage_ref)
WHERE id = :run AND epoch = :epoch AND live = 1
RETURNING *;

-- name: run_reap
-- The fenced end of a run whose lease ran out: only as it was seen, so a rescue that loses the race changes nothing.
UPDATE runs SET live = 0, phase = 'ended', ended_at = :now, outcome = 'lost', reason = :reason, verifier = NULL
WHERE id = :run AND epoch = :epoch AND live = 1 AND expires_at = :seen AND expires_at <= :now
RETURNING *;

-- name: run_expired
-- Leases that ran out. A holder on this machine and boot gets one more TTL: its watcher may be waking from a suspend.
SELECT id, issue_id, epoch, expires_at FROM runs
WHERE live = 1 AND expires_at <= :now
    AND (supervised = 0 OR machine_id <> :machine_id OR boot_id <> :boot_id OR expires_at + ttl_ms <= :now)
ORDER BY expires_at LIMIT :most;

-- name: run_salvaged
-- Where an ended run's work was kept.
UPDATE runs SET salvage_ref = :ref WHERE id = :run AND salvage_ref IS NULL;

-- name: run_held_by_machine
-- Live supervised runs of this machine (to find what a dead predecessor left).
SELECT * FROM runs WHERE live = 1 AND supervised = 1 AND machine_id = :machine_id ORDER BY id;

-- name: run_verifying
-- Sessions of this machine that are being verified (to find those whose verifier has died).
SELECT * FROM runs WHERE live = 1 AND supervised = 0 AND phase = 'verifying' AND machine_id = :machine_id ORDER BY id;

-- name: run_live
-- Live runs of a project.
SELECT r.*, i.identifier, i.task FROM runs r JOIN issues i ON i.id = r.issue_id
WHERE r.live = 1 AND r.project_id = :project ORDER BY r.id LIMIT :most;

-- name: run_file_insert
-- A live run's claim on a path.
INSERT INTO run_files (project_id, path, run_id) VALUES (:project, :path, :run);

-- name: run_files_held
-- Paths that live runs of the project hold.
SELECT f.path, f.run_id, i.identifier FROM run_files f
JOIN runs r ON r.id = f.run_id JOIN issues i ON i.id = r.issue_id
WHERE f.project_id = :project ORDER BY f.path;

-- name: run_files_free
-- A run's end frees its paths.
DELETE FROM run_files WHERE run_id = :run;

-- name: run_folder_live
-- The live run that works in this folder, for projects without git.
SELECT id FROM runs WHERE live = 1 AND project_id = :project AND machine_id = :machine_id AND path = :path LIMIT :one;

-- name: run_accepting
-- The run whose commit an issue was accepted with.
SELECT id, worktree FROM runs WHERE issue_id = :issue AND live = 0 AND commit_id = :commit_id
ORDER BY epoch DESC LIMIT :one;

-- name: run_last_work
-- The newest work of an issue that a new attempt goes on from: a salvage, or the commit of a run once accepted.
SELECT coalesce(salvage_ref, commit_id) AS start FROM runs
WHERE issue_id = :issue AND (salvage_ref IS NOT NULL OR (outcome = 'success' AND worktree IS NOT NULL))
ORDER BY epoch DESC LIMIT :one;

-- name: run_cut_off
-- The newest runs of an issue on a machine that ended without anybody there who could keep their work.
SELECT * FROM runs
WHERE issue_id = :issue AND live = 0 AND machine_id = :machine_id AND outcome IN ('lost', 'cancelled')
    AND salvage_ref IS NULL
ORDER BY epoch DESC LIMIT :most;

-- name: run_adopt
-- A new process takes over a live run whose watcher is dead, under the same epoch.
UPDATE runs SET machine_id = :machine_id, boot_id = :boot_id, pid = :pid, pid_started = :pid_started,
    token_hash = :token_hash, heartbeat_at = :now, expires_at = :now + ttl_ms, verifier = NULL
WHERE id = :run AND epoch = :epoch AND live = 1 AND pid = :seen_pid AND pid_started = :seen_started
    AND boot_id = :seen_boot;

-- name: run_recoverable
-- The first ready issue whose last run was lost, in the claim order.
SELECT i.identifier FROM issues i
WHERE i.project_id = :project AND i.status = 'ready' AND i.parked = 0
    AND (SELECT r.outcome FROM runs r WHERE r.issue_id = i.id ORDER BY r.epoch DESC LIMIT :one) = 'lost'
ORDER BY i.claim_rank, i.unbreached, i.deadline_key, i.created_at, i.id LIMIT :one;

-- name: run_watch
-- What the watcher of a live run must know: whether it is still its run, and whether someone asked it to stop.
SELECT live, epoch, stop_request, progress_at, close_request FROM runs WHERE id = :run;

-- name: run_table
-- One line an issue: its attempts, turns, verdict, commit and the time its runs took.
SELECT i.identifier, i.task, i.status, i.attempts, i.verdict, i.accepted_commit,
    (SELECT count(*) FROM runs r WHERE r.issue_id = i.id) AS runs,
    (SELECT coalesce(sum(r.turns), 0) FROM runs r WHERE r.issue_id = i.id) AS turns,
    (SELECT coalesce(sum(r.ended_at - r.started_at), 0) FROM runs r WHERE r.issue_id = i.id AND r.live = 0) AS busy_ms
FROM issues i WHERE i.project_id = :project ORDER BY i.number LIMIT :most;
