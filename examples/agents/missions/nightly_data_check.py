#!/usr/bin/env python3
"""The scripted agent of examples/missions/nightly-data-check: it looks a CSV file of orders through and says what is wrong.

Its work is done when everything that is wrong is written down. That the data are bad is not its failure: a check of the
mission says so, and the mission stops until a person has looked.
"""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from datetime import date
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any

from scripted import Mission, now, play, to_json

COLUMNS = ["order_id", "day", "country", "quantity", "price"]


def work(mission: Mission) -> tuple[str, str]:
    """Do the three steps of the playbook."""
    data = mission.source(folder=False).read_bytes()
    text = data.decode("utf-8-sig", "replace")
    mission.write("snapshot.csv", text)
    header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    mission.log("1", f"{len(rows)} rows are taken over")

    findings = _findings(header, rows)
    for one in findings[:10]:
        mission.log("2", f"row {one['row']}: {one['text']}", "WARN")
    mission.log("2", f"{len(findings)} findings", "ERROR" if findings else "SUCCESS")
    if findings:
        rules = ", ".join(sorted({one["rule"] for one in findings}))
        mission.learn("what_goes_wrong", f"The data set had findings of the kinds {rules}: look at those first.")

    snapshot = (mission.output / "snapshot.csv").read_bytes()
    counts = Counter(one["rule"] for one in findings)
    document = {
        "checked_at": now(),
        "sha256": sha256(snapshot).hexdigest(),
        "rows": len(rows),
        "counts": {rule: counts[rule] for rule in ("schema", "range", "duplicate")},
        "findings": findings,
    }
    mission.write("findings.json", to_json(document))
    mission.log("3", "findings.json is written")
    return "3", f"{len(rows)} rows, {len(findings)} findings"


def _findings(header: list[str], rows: list[list[str]]) -> list[dict[str, Any]]:
    """Return what is wrong, by row: the header is row 1."""
    if header != COLUMNS:
        return [_finding("schema", 1, f"the columns are {', '.join(header) or 'none'}, not {', '.join(COLUMNS)}")]
    found: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, 2):
        if len(row) != len(COLUMNS):
            found.append(_finding("schema", number, f"{len(row)} fields instead of {len(COLUMNS)}"))
            continue
        name, day, country, quantity, price = row
        if name in seen:
            found.append(_finding("duplicate", number, f"order {name} stands in row {seen[name]} already"))
        seen.setdefault(name, number)
        if not _is_day(day):
            found.append(_finding("schema", number, f"{day!r} is no day like 2026-01-31"))
        if not (len(country) == 2 and country.isascii() and country.isupper()):
            found.append(_finding("schema", number, f"{country!r} is no country of two letters"))
        if not (quantity.isascii() and quantity.isdigit() and 1 <= int(quantity) <= 1000):
            found.append(_finding("range", number, f"the quantity {quantity!r} is not within 1 to 1000"))
        if not _is_price(price):
            found.append(_finding("range", number, f"the price {price!r} is not within 0.01 to 100000"))
    return found


def _finding(rule: str, row: int, text: str) -> dict[str, Any]:
    return {"rule": rule, "row": row, "text": text}


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_price(text: str) -> bool:
    try:
        return Decimal("0.01") <= Decimal(text) <= 100_000
    except InvalidOperation:
        return False


if __name__ == "__main__":
    sys.exit(play(__doc__, work))
