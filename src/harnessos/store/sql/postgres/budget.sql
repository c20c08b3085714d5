-- name: budget_lock
-- PostgreSQL locks the rows, in the order of their key.
SELECT dimension, cap, spent, reserved FROM budgets
WHERE scope_kind = :scope_kind AND scope_id = :scope AND period = :period ORDER BY dimension FOR UPDATE;
