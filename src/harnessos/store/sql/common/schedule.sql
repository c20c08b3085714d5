-- name: schedule_insert
-- A schedule.
INSERT INTO schedules (id, project_id, mission_id, name, target, target_json, rule, timezone, misfire, lateness_ms,
    overlap, jitter_ms, check_json, once, ends_at, anchor_at, next_at, fires_at, created_by, created_at)
VALUES (:id, :project, :mission, :name, :target, :target_json, :rule, :timezone, :misfire, :lateness_ms,
    :overlap, :jitter_ms, :check_json, :once, :ends_at, :anchor_at, :next_at, :fires_at, :by, :now);

-- name: schedule_rewrite
-- What an edit may change: everything but the name and what has fired.
UPDATE schedules SET mission_id = :mission, target = :target, target_json = :target_json, rule = :rule,
    timezone = :timezone, misfire = :misfire, lateness_ms = :lateness_ms, overlap = :overlap, jitter_ms = :jitter_ms,
    check_json = :check_json, once = :once, ends_at = :ends_at, anchor_at = :anchor_at, next_at = :next_at,
    fires_at = :fires_at
WHERE id = :id;

-- name: schedule_by_id
-- A schedule.
SELECT * FROM schedules WHERE id = :id;

-- name: schedule_lock
-- The whole row, before it is changed.
SELECT * FROM schedules WHERE id = :id;

-- name: schedule_by_name
-- A schedule of a project.
SELECT * FROM schedules WHERE project_id = :project AND name = :name;

-- name: schedule_list
-- The schedules of a project by name, from a name on.
SELECT * FROM schedules WHERE project_id = :project AND name > :after ORDER BY name LIMIT :most;

-- name: schedule_of_mission
-- The schedules of a mission.
SELECT * FROM schedules WHERE mission_id = :mission ORDER BY name;

-- name: schedule_due
-- What is due in a project and writes issues, the longest overdue first.
SELECT * FROM schedules
WHERE project_id = :project AND paused = 0 AND fires_at IS NOT NULL AND fires_at <= :now
    AND target IN ('issue', 'plan')
ORDER BY fires_at, id LIMIT :most;

-- name: schedule_due_missions
-- What is due of the missions that lie on a machine, the longest overdue first.
SELECT s.* FROM schedules s JOIN missions m ON m.id = s.mission_id
WHERE s.paused = 0 AND s.fires_at IS NOT NULL AND s.fires_at <= :now AND m.machine_id = :machine_id
ORDER BY s.fires_at, s.id LIMIT :most;

-- name: schedule_soonest
-- When a project's next schedule that writes issues fires.
SELECT min(fires_at) AS fires_at FROM schedules
WHERE project_id = :project AND paused = 0 AND fires_at IS NOT NULL AND target IN ('issue', 'plan');

-- name: schedule_soonest_missions
-- When the next schedule of a mission on a machine fires.
SELECT min(s.fires_at) AS fires_at FROM schedules s JOIN missions m ON m.id = s.mission_id
WHERE s.paused = 0 AND s.fires_at IS NOT NULL AND m.machine_id = :machine_id;

-- name: schedule_move
-- Goes on to the next nominal time, unless somebody else has: the winner fires what lies between.
UPDATE schedules SET next_at = :next_at, fires_at = :fires_at
WHERE id = :id AND paused = 0 AND next_at = :seen;

-- name: schedule_fired
-- Notes which nominal time fired last.
UPDATE schedules SET last_at = :nominal WHERE id = :id;

-- name: schedule_pause
-- Pauses or resumes.
UPDATE schedules SET paused = :paused, next_at = :next_at, fires_at = :fires_at WHERE id = :id;

-- name: schedule_remove
-- Takes a schedule out of use: its name is free again, its firings stay.
UPDATE schedules SET name = :name, paused = 1, next_at = NULL, fires_at = NULL WHERE id = :id;

-- name: schedule_firing_insert
-- A nominal time that was decided about, once for ever.
INSERT INTO schedule_firings (schedule_id, nominal_at, at, outcome, reason)
VALUES (:schedule, :nominal, :now, :outcome, :reason)
ON CONFLICT (schedule_id, nominal_at) DO NOTHING;

-- name: schedule_firing_outcome
-- What came of a firing.
UPDATE schedule_firings SET outcome = :outcome, reason = :reason, issue_id = :issue, run_id = :run
WHERE schedule_id = :schedule AND nominal_at = :nominal;

-- name: schedule_firing
-- One firing.
SELECT * FROM schedule_firings WHERE schedule_id = :schedule AND nominal_at = :nominal;

-- name: schedule_firings
-- The firings of a schedule before an instant, newest first, with what they made.
SELECT f.*, i.identifier, i.status FROM schedule_firings f LEFT JOIN issues i ON i.id = f.issue_id
WHERE f.schedule_id = :schedule AND f.nominal_at < :before ORDER BY f.nominal_at DESC LIMIT :most;

-- name: schedule_work
-- What a firing of a plan made and is not over.
SELECT id, identifier, status FROM issues
WHERE project_id = :project AND plan_key = :plan_key AND status NOT IN ('done', 'failed', 'cancelled')
ORDER BY number LIMIT :most;
