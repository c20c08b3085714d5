-- name: lock_take
-- Takes a named lock that is free, expired, already ours, or held by a run that is over.
INSERT INTO locks (name, holder, expires_at) VALUES (:name, :holder, :now + :ttl_ms)
ON CONFLICT (name) DO UPDATE SET holder = :holder, expires_at = :now + :ttl_ms
WHERE locks.holder = :holder OR locks.expires_at <= :now
    OR NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = locks.holder AND r.live = 1);

-- name: lock_free
-- Gives a named lock back.
DELETE FROM locks WHERE name = :name AND holder = :holder;
