"""Which schema this program writes, and which ledgers it may therefore touch. The way there is `migrating`."""

from __future__ import annotations

from harnessos import errors

APPLICATION_ID = 0x48524E53
"""Written into a SQLite file's header (`HRNS`), so that a ledger is known for one whatever its name."""

SCHEMA = 4
"""The schema this program writes."""
MIN_READER = 4
MIN_WRITER = 4
"""The oldest programs that may read and write what this one writes; recorded in the ledger's `meta`."""


def check_version(where: str, schema: int, min_reader: int, min_writer: int, *, write: bool) -> None:
    """Refuse a ledger whose schema this program must not touch: older (migrate first) or too new."""
    if schema < SCHEMA:
        raise errors.StoreTooOld(f"{where} has schema {schema}, this program needs {SCHEMA}", schema=schema)
    if min_reader > SCHEMA or (write and min_writer > SCHEMA):
        verb = "written" if min_reader <= SCHEMA else "read"
        raise errors.StoreTooNew(
            f"{where} has schema {schema}; it cannot be {verb} by this program (schema {SCHEMA})", schema=schema
        )
