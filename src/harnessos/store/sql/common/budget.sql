-- name: budget_balances
-- A scope's balances of one period as they are now; nothing is locked, what is decided on them is checked again.
SELECT b.dimension, b.cap, b.spent, b.reserved, c.set_by
FROM budgets b JOIN caps c ON c.scope_kind = b.scope_kind AND c.scope_id = b.scope_id AND c.dimension = b.dimension
WHERE b.scope_kind = :scope_kind AND b.scope_id = :scope AND b.period = :period ORDER BY b.dimension;

-- name: budget_open
-- A new period begins with the scope's caps.
INSERT INTO budgets (scope_kind, scope_id, period, dimension, cap)
SELECT scope_kind, scope_id, :period, dimension, cap FROM caps
WHERE scope_kind = :scope_kind AND scope_id = :scope
ON CONFLICT (scope_kind, scope_id, period, dimension) DO NOTHING;

-- name: budget_reserve
-- Reserves in each dimension that still has room; the caller counts whether that is all of them.
UPDATE budgets SET
    spent = spent + CASE dimension WHEN 'runs' THEN 1 ELSE 0 END,
    reserved = reserved + CASE dimension WHEN 'wall_ms' THEN :wall_ms WHEN 'usd' THEN :usd ELSE 0 END
WHERE scope_kind = :scope_kind AND scope_id = :scope AND period = :period
    AND (cap IS NULL OR cap >= spent + reserved
        + CASE dimension WHEN 'runs' THEN 1 WHEN 'wall_ms' THEN :wall_ms WHEN 'usd' THEN :usd ELSE 0 END);

-- name: budget_settle
-- Turns a run's reservation into what it really used.
UPDATE budgets SET
    spent = spent + CASE dimension WHEN 'wall_ms' THEN :wall_ms WHEN 'usd' THEN :usd ELSE 0 END,
    reserved = reserved - CASE dimension WHEN 'wall_ms' THEN :reserved_wall_ms WHEN 'usd' THEN :reserved_usd ELSE 0 END
WHERE scope_kind = :scope_kind AND scope_id = :scope AND period = :period;

-- name: budget_cap
-- An operator changes the cap of the period that is running.
UPDATE budgets SET cap = :cap
WHERE scope_kind = :scope_kind AND scope_id = :scope AND period = :period AND dimension = :dimension;

-- name: budget_caps
-- The caps of a scope and who set them.
SELECT dimension, cap, set_by FROM caps WHERE scope_kind = :scope_kind AND scope_id = :scope ORDER BY dimension;

-- name: budget_set
-- Sets a cap for this and the following periods; NULL is unlimited.
INSERT INTO caps (scope_kind, scope_id, dimension, cap, set_by)
VALUES (:scope_kind, :scope, :dimension, :cap, :set_by)
ON CONFLICT (scope_kind, scope_id, dimension) DO UPDATE SET cap = :cap, set_by = :set_by;
