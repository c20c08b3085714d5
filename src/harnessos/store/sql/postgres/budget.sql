-- name: budget_lock
-- PostgreSQL locks the rows, in the order of their key.
SELECT b.dimension, b.cap, b.spent, b.reserved, c.set_by
FROM budgets b JOIN caps c ON c.scope_kind = b.scope_kind AND c.scope_id = b.scope_id AND c.dimension = b.dimension
WHERE b.scope_kind = :scope_kind AND b.scope_id = :scope AND b.period = :period ORDER BY b.dimension FOR UPDATE OF b;
