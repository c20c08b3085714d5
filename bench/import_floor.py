"""The floor of an import: read the plan with the plain parser and write its rows with the bare driver in one transaction."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from harnessos.store.sqlite import connect


def main(ledger: Path, plan: Path) -> None:
    """Write every issue of the plan, its event and its edges after the likes of the one that stands in the ledger."""
    data = plan.read_bytes()
    document: dict[str, Any] = (
        tomllib.loads(data.decode()) if plan.suffix == ".toml" else json.loads(data)
    )  # Any: a plan
    issues = document["milestones"][0]["issues"]
    connection = connect(ledger)
    connection.execute("BEGIN IMMEDIATE")
    for table, where in (("issues", "1"), ("events", "subject_kind = 'issue'")):
        cursor = connection.execute(f"SELECT * FROM {table} WHERE {where} LIMIT 1")
        like = next(cursor)
        names = [column[0] for column in cursor.get_description()]
        cursor.close()
        place = {name: number for number, name in enumerate(names)}
        marks = ", ".join("?" * len(names))
        statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
        connection.executemany(
            statement, (_row(table, like, place, number, one) for number, one in enumerate(issues, 2))
        )
    ids = {one["key"]: _id(number) for number, one in enumerate(issues, 2)}
    edges = ((ids[one["key"]], ids[on]) for one in issues for on in one.get("depends_on_keys", ()))
    connection.executemany("INSERT INTO issue_dependencies (issue_id, depends_on_id) VALUES (?, ?)", edges)
    connection.execute("COMMIT")
    connection.close()


def _id(number: int) -> str:
    return f"iss-{number + 10**9:026d}"


def _row(table: str, like: tuple[Any, ...], place: dict[str, int], number: int, issue: dict[str, Any]) -> list[Any]:
    """Return the columns of one row. Any: SQLite values, a plan's issue."""
    row = list(like)
    if table == "events":
        row[place["seq"]] = None
        row[place["subject_id"]] = _id(number)
        return row
    row[place["id"]] = _id(number)
    row[place["number"]] = number
    row[place["identifier"]] = f"BENCH-{number}"
    row[place["key"]] = f"floor-{number}"
    row[place["task"]] = issue["task"]
    row[place["description"]] = issue["description"]
    return row


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
