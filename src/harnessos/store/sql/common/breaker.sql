-- name: breaker_open
-- Opens a breaker; it stays open until an operator closes it.
INSERT INTO breakers (scope_kind, scope_id, state, reason, opened_at) VALUES (:scope_kind, :scope, 'open', :reason, :now)
ON CONFLICT (scope_kind, scope_id) DO UPDATE SET state = 'open', reason = :reason, opened_at = :now;

-- name: breaker_close
-- An operator closes it.
UPDATE breakers SET state = 'closed', closed_at = :now, closed_by = :by
WHERE scope_kind = :scope_kind AND scope_id = :scope AND state = 'open';

-- name: breaker_list
-- Open breakers, oldest first; those of missions with the workspace that `mission resume` takes.
SELECT b.scope_kind, b.scope_id, b.reason, b.opened_at, i.identifier, m.workspace FROM breakers b
LEFT JOIN issues i ON i.id = b.scope_id LEFT JOIN missions m ON m.issue_id = b.scope_id
WHERE b.state = 'open' ORDER BY b.opened_at, b.scope_id LIMIT :most;
