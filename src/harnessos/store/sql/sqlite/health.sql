-- name: health_damage
-- SQLite checks its own pages and every foreign key.
SELECT integrity_check AS subject, 'damaged page or index' AS detail FROM pragma_integrity_check
WHERE integrity_check <> 'ok'
UNION ALL
SELECT "table", 'a row points to a missing row of ' || parent FROM pragma_foreign_key_check
LIMIT :most;
