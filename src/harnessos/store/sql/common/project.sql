-- name: project_insert
-- A new body of work.
INSERT INTO projects (id, key, name, kind, root_commit, target, settings_json, created_at)
VALUES (:id, :key, :name, :kind, :root_commit, :target, :settings_json, :now);

-- name: project_by_key
-- A project by its short key.
SELECT * FROM projects WHERE key = :key;

-- name: project_by_id
-- A project by its id.
SELECT * FROM projects WHERE id = :id;

-- name: project_list
-- Every project of the ledger.
SELECT * FROM projects ORDER BY key;

-- name: project_numbers
-- Takes a run of issue numbers: the first is what was next before.
UPDATE projects SET next_number = next_number + :count WHERE id = :id RETURNING next_number - :count AS first;

-- name: project_settings
-- Changes what an operator sets for a project.
UPDATE projects SET name = :name, settings_json = :settings_json, target = :target WHERE id = :id;

-- name: project_locate
-- Where a project lies on a machine.
INSERT INTO locations (project_id, machine_id, path, created_at) VALUES (:project, :machine_id, :path, :now)
ON CONFLICT (project_id, machine_id, path) DO NOTHING;

-- name: project_locations
-- Every place a project lies.
SELECT * FROM locations WHERE project_id = :project ORDER BY machine_id, path;

-- name: project_here
-- The places on this machine where projects lie.
SELECT l.*, p.key FROM locations l JOIN projects p ON p.id = l.project_id
WHERE l.machine_id = :machine_id ORDER BY p.key, l.path;

-- name: project_trust
-- This user on this machine lets the project's workflow, hooks and gates run commands.
UPDATE locations SET trusted_by = :user, trusted_at = :now WHERE project_id = :project AND machine_id = :machine_id;

-- name: project_distrust
-- Takes that back.
UPDATE locations SET trusted_by = NULL, trusted_at = NULL WHERE project_id = :project AND machine_id = :machine_id;

-- name: project_relocate
-- A moved checkout is known under its new path.
UPDATE locations SET path = :path WHERE project_id = :project AND machine_id = :machine_id AND path = :old;
