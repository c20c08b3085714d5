-- name: slot_taken
-- The slots in use on this machine and by this project.
SELECT machine_id, number, project_id FROM slots WHERE machine_id = :machine_id OR project_id = :project ORDER BY number;

-- name: slot_insert
-- A supervised run takes a concurrency slot; its number also gives the run its ports.
INSERT INTO slots (machine_id, number, project_id, run_id) VALUES (:machine_id, :number, :project, :run);

-- name: slot_free
-- A run's end frees its slot.
DELETE FROM slots WHERE run_id = :run;

-- name: slot_of
-- The slot of a run.
SELECT number FROM slots WHERE run_id = :run;
