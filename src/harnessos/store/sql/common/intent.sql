-- name: intent_insert
-- What is about to be done outside the ledger.
INSERT INTO intents (id, run_id, epoch, kind, target, state, detail_json, created_at)
VALUES (:id, :run, :epoch, :kind, :target, 'open', :detail_json, :now);

-- name: intent_settle
-- It was done, or undone.
UPDATE intents SET state = :state, detail_json = :detail_json, settled_at = :now WHERE id = :id AND state = 'open';

-- name: intent_confirm
-- The run that planned it has done it.
UPDATE intents SET state = 'confirmed', detail_json = :detail_json, settled_at = :now
WHERE id = :id AND run_id = :run AND state IN ('open', 'confirmed');

-- name: intent_open_of
-- What a run had begun and nobody knows the end of.
SELECT * FROM intents WHERE run_id = :run AND state = 'open' ORDER BY id LIMIT :most;

-- name: intent_open_here
-- Unsettled acts of ended runs of this machine.
SELECT i.*, r.issue_id, r.project_id, r.worktree, r.branch, r.base_commit, r.path FROM intents i
JOIN runs r ON r.id = i.run_id
WHERE i.state = 'open' AND r.live = 0 AND r.machine_id = :machine_id ORDER BY i.id LIMIT :most;
