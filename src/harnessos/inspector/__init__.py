"""Everything that reads the ledger: frozen views, the only source for command line, MCP and web.

A view is gathered by `query(tx, ...)` on one snapshot and derived by pure functions; nothing here writes, and
nothing is unbounded: lists are pages with a cursor.
"""
