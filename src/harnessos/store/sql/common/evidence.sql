-- name: evidence_insert
-- A gate's recorded result at a commit or manifest.
INSERT INTO evidence (id, run_id, epoch, turn, gate, kind, required, passed, exit_code, subject, tree_state,
    output_sha256, duration_ms, detail, excerpt, log, created_at)
VALUES (:id, :run, :epoch, :turn, :gate, :kind, :required, :passed, :exit_code, :subject, :tree_state,
    :output_sha256, :duration_ms, :detail, :excerpt, :log, :now);

-- name: evidence_of_run
-- What the gates said about a run.
SELECT * FROM evidence WHERE run_id = :run ORDER BY id LIMIT :most;
