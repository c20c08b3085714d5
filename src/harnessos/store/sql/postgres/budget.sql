-- name: budget_reserve
-- PostgreSQL takes the rows in the order of their key, and looks at them as they are once they are locked.
WITH held AS MATERIALIZED (
    SELECT dimension, cap, spent + reserved AS gone FROM budgets
    WHERE scope_kind = :scope_kind AND scope_id = :scope AND period = :period
    ORDER BY dimension FOR UPDATE)
UPDATE budgets SET
    spent = spent + CASE held.dimension WHEN 'runs' THEN 1 ELSE 0 END,
    reserved = reserved + CASE held.dimension WHEN 'wall_ms' THEN :wall_ms WHEN 'usd' THEN :usd ELSE 0 END
FROM held
WHERE budgets.scope_kind = :scope_kind AND budgets.scope_id = :scope AND budgets.period = :period
    AND budgets.dimension = held.dimension
    AND (held.cap IS NULL OR held.cap >= held.gone
        + CASE held.dimension WHEN 'runs' THEN 1 WHEN 'wall_ms' THEN :wall_ms WHEN 'usd' THEN :usd ELSE 0 END);

-- name: budget_settle
-- PostgreSQL takes the rows in the order of their key, as a reservation does: in two orders they deadlock.
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
