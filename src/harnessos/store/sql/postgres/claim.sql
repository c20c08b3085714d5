-- name: claim_lock
-- PostgreSQL: claims that take slots or declare files exclude each other by the project's advisory lock.
SELECT pg_advisory_xact_lock(hashtextextended(:project, 0)) IS NULL AS project;
