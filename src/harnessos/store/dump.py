"""The whole ledger as JSON lines, and back: the same on SQLite and PostgreSQL, and byte for byte the same again.

First a line that says what it is, then one line a row (`{"table": ..., "row": {...}}`, tables in the order of their
references, rows in the order of their keys), then a line with the number of rows, by which a cut-off file is known.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.store import schema
from harnessos.store.opening import create_store, open_store, sqlite_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harnessos.store.dump_sites import Site, Table
    from harnessos.store.transaction import Value

FORMAT = "harnessos-ledger"
VERSION = 1
BATCH = 1000
LONGEST_LINE = 256 * 1024 * 1024
_PROGRAM = frozenset({"meta", "migrations"})
"""Tables that describe the database, not the work: a new ledger has its own."""


def ordered(tables: Iterable[Table]) -> list[Table]:
    """Return the tables so that each comes after those it refers to; ties by name, so the order is always the same."""
    left = {table.name: table for table in tables if table.name not in _PROGRAM}
    result: list[Table] = []
    while left:
        free = [name for name, table in left.items() if not (table.parents & left.keys()) - {name}]
        if not free:
            raise ValueError(f"these tables refer to each other in a circle: {sorted(left)}")
        result.append(left.pop(min(free)))
    return result


def export(url: str) -> Iterator[str]:
    """Return the lines of the ledger as of one instant."""
    open_store(url, write=False).close()
    with _site(url) as site:
        yield _line({"format": FORMAT, "version": VERSION, "schema": schema.SCHEMA})
        count = 0
        for table in ordered(site.tables()):
            for row in site.rows(table):
                yield _line({"table": table.name, "row": dict(zip(table.columns, row, strict=True))})
                count += 1
        yield _line({"rows": count})


def _line(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


def load(file: Path, url: str) -> tuple[int, bool]:
    """Read an export into a ledger that does not exist or is empty; return the rows, and whether it was created.

    The file is read to its end before anything is written, and all rows are written in one transaction. BadDocument for
    a file that is no whole export of this schema, Refused for a ledger that holds anything.
    """
    for _ in _rows(file):
        pass
    created = _make(url)
    try:
        with _site(url, write=True) as site:
            return _fill(site, file), created
    except BaseException:
        if created:
            _unmake(url)
        raise


def _make(url: str) -> bool:
    try:
        open_store(url).close()
    except errors.StoreMissing:
        return create_store(url)
    return False


def _unmake(url: str) -> None:
    """Remove the file that this very call created and could not fill. The tables of a PostgreSQL ledger stay, empty."""
    path = sqlite_path(url)
    if path is not None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)


def _fill(site: Site, file: Path) -> int:
    tables = {table.name: table for table in ordered(site.tables())}
    held = [name for name in tables if name != "ledger" and site.holds_rows(name)]
    if held:
        raise errors.Refused(
            f"the ledger is not empty ({held[0]})", hint="import into one that does not exist yet: --store URL"
        )
    site.clear("ledger")
    count, name = 0, ""
    batch: list[dict[str, Value]] = []
    for found, row in _rows(file):
        if found != name or len(batch) == BATCH:
            _put(site, tables, name, batch)
            name, batch = found, []
        batch.append(row)
        count += 1
    _put(site, tables, name, batch)
    site.finish()
    return count


def _put(site: Site, tables: dict[str, Table], name: str, batch: list[dict[str, Value]]) -> None:
    if not batch:
        return
    table = tables.get(name)
    if table is None or any(row.keys() != set(table.columns) for row in batch):
        raise errors.BadDocument(f"the export's table {name} is not one of this schema")
    site.insert(table, [tuple(row[column] for column in table.columns) for row in batch])


def _rows(file: Path) -> Iterator[tuple[str, dict[str, Value]]]:
    """Return each row with its table's name, and raise unless the file is a whole export."""
    count, number, ended = 0, 0, False
    for number, line in enumerate(_lines(file), start=1):
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as problem:
            raise _bad(file, number, f"it is no JSON ({problem})") from problem
        if not isinstance(document, dict) or ended:
            raise _bad(file, number, "it is no line of an export")
        if number == 1:
            _check_head(file, document)
        elif document.keys() == {"rows"}:
            ended = True
            if document["rows"] != count:
                raise _bad(file, number, f"{document['rows']} rows are announced, {count} are there")
        else:
            yield _row(file, number, document)
            count += 1
    if not ended:
        raise _bad(file, number, "the end is missing, the file was cut off")


def _row(file: Path, number: int, document: dict[str, object]) -> tuple[str, dict[str, Value]]:
    name, row = document.get("table"), document.get("row")
    if document.keys() != {"table", "row"} or not isinstance(name, str) or not isinstance(row, dict):
        raise _bad(file, number, "it is no line of an export")
    if not all(value is None or type(value) in (str, int) for value in row.values()):
        raise _bad(file, number, "a value is neither text nor a whole number")
    return name, row


def _check_head(file: Path, document: dict[str, object]) -> None:
    if document.get("format") != FORMAT or document.get("version") != VERSION:
        raise errors.BadDocument(f"{file} is no export of a ledger", hint="`harness db export FILE` writes one")
    if document.get("schema") != schema.SCHEMA:
        raise errors.BadDocument(
            f"{file} was written by schema {document.get('schema')}, this program has {schema.SCHEMA}",
            hint="import it with the program that wrote it, `harness db upgrade`, and export again",
        )


def _lines(file: Path) -> Iterator[str]:
    try:
        if file.exists() and not file.is_file():
            raise errors.NotAFile(f"{file}: is no regular file", hint="name an export", path=str(file))
        with file.open("rb") as stream:
            number = 0
            while raw := stream.readline(LONGEST_LINE):
                number += 1
                yield raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise _bad(file, number, "it is not UTF-8") from problem
    except OSError as problem:
        raise errors.NotAFile(f"{file}: {problem.strerror}", hint="check the spelling", path=str(file)) from problem


def _bad(file: Path, number: int, what: str) -> errors.BadDocument:
    return errors.BadDocument(
        f"{file}, line {number}: {what}; nothing was imported", hint="use another export", path=str(file), line=number
    )


@contextmanager
def _site(url: str, *, write: bool = False) -> Iterator[Site]:
    from harnessos.store import dump_sites

    path = sqlite_path(url)
    if path is not None:
        from harnessos.store import sqlite

        with sqlite.spoken(path), dump_sites.SqliteSite(path, write=write) as site:
            yield site
        return
    from harnessos.store import postgres

    with postgres.spoken(url), dump_sites.PostgresSite(url, write=write) as site:
        yield site
