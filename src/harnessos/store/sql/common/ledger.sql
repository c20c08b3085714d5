-- name: ledger_read
-- The ledger's identity.
SELECT * FROM ledger LIMIT :one;

-- name: ledger_insert
-- A new ledger's identity.
INSERT INTO ledger (id, created_at) VALUES (:id, :now);
