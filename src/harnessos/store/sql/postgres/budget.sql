-- name: budget_lock
-- PostgreSQL locks the rows, in the order of their key.
SELECT b.dimension, b.cap, b.spent, b.reserved, c.set_by
FROM budgets b JOIN caps c ON c.scope_kind = b.scope_kind AND c.scope_id = b.scope_id AND c.dimension = b.dimension
WHERE b.scope_kind = :scope_kind AND b.scope_id = :scope AND b.period = :period ORDER BY b.dimension FOR UPDATE OF b;

-- name: budget_settle
-- PostgreSQL takes the rows in the order of their key, as the claim does: in two orders they deadlock.
WITH held AS MATERIALIZED (
    SELECT dimension FROM budgets WHERE scope_kind = :scope_kind AND scope_id = :scope AND period = :period
    ORDER BY dimension FOR UPDATE)
UPDATE budgets SET
    spent = spent + CASE held.dimension WHEN 'wall_ms' THEN :wall_ms WHEN 'usd' THEN :usd ELSE 0 END,
    reserved = reserved
        - CASE held.dimension WHEN 'wall_ms' THEN :reserved_wall_ms WHEN 'usd' THEN :reserved_usd ELSE 0 END
FROM held
WHERE budgets.scope_kind = :scope_kind AND budgets.scope_id = :scope AND budgets.period = :period
    AND budgets.dimension = held.dimension;
