-- name: ledger_read
-- The ledger's identity.
SELECT * FROM ledger LIMIT :one;
