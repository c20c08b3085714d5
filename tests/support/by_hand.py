"""Changing a ledger behind the harness's back, as a person with a database client does."""

from __future__ import annotations

import apsw
import psycopg

from harnessos.store.opening import sqlite_path


def change(url: str, statement: str) -> int:
    """Run one statement without foreign keys being looked at; return how many rows it changed."""
    path = sqlite_path(url)
    if path is not None:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.execute(statement)
            return connection.changes()
        finally:
            connection.close()
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("SET session_replication_role = replica")
        return server.execute(statement).rowcount
