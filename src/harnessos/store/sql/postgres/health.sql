-- name: health_damage
-- PostgreSQL keeps its pages itself: what can be wrong are indexes left invalid and constraints never validated.
SELECT c.relname AS subject, 'the index is invalid' AS detail
FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
WHERE NOT x.indisvalid AND c.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT k.conname, 'the constraint was never validated' FROM pg_constraint k
WHERE NOT k.convalidated AND k.connamespace = current_schema()::regnamespace
LIMIT :most;
