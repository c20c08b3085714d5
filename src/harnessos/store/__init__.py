"""The ledger's store: transactions over SQLite or PostgreSQL, SQL by name, schema and migrations."""
