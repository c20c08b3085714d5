-- name: hold_set
-- Holds a scope: nothing in it is claimed until the hold ends or an operator lifts it.
INSERT INTO holds (scope_kind, scope_id, kind, reason, until, created_at)
VALUES (:scope_kind, :scope, :kind, :reason, :until, :now)
ON CONFLICT (scope_kind, scope_id, kind) DO UPDATE SET reason = :reason,
    until = CASE WHEN holds.until IS NULL OR :until IS NULL THEN NULL WHEN holds.until > :until THEN holds.until
        ELSE :until END;

-- name: hold_active
-- Holds that concern a claim in this project by this agent's provider account.
SELECT scope_kind, scope_id, kind, reason, until FROM holds
WHERE (scope_id = :project OR (scope_kind = 'provider' AND scope_id = :provider)) AND (until IS NULL OR until > :now)
ORDER BY scope_kind, scope_id, kind;

-- name: hold_lift
-- Ends a hold.
DELETE FROM holds WHERE scope_kind = :scope_kind AND scope_id = :scope AND kind = :kind;

-- name: hold_expire
-- Forgets the holds of a project, and of providers, that have run out.
DELETE FROM holds WHERE (scope_id = :project OR scope_kind = 'provider') AND until <= :now;

-- name: hold_providers
-- The provider accounts that are held now.
SELECT scope_id, reason, until, created_at FROM holds
WHERE scope_kind = 'provider' AND (until IS NULL OR until > :now) ORDER BY scope_id;
