"""Answers: one JSON document with --json, else a sentence or a table; notes and errors on standard error.

Text that agents or trackers wrote may hold control characters, which could repaint a terminal: they never reach it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harnessos.errors import HarnessError

_CONTROL = dict.fromkeys((*range(32), *range(127, 160), *range(8234, 8239), *range(8294, 8298)))
_KEPT = {code: None for code in _CONTROL if code not in (9, 10)}
_ESCAPED = {code: f"\\u{code:04x}" for code in _CONTROL if code >= 127}


class Output:
    """Where a command shows its answer. `json` says whether a program reads it."""

    def __init__(self, *, json: bool) -> None:
        self.json = json

    def show(self, document: object, text: str) -> None:
        """Print the document, or for people the text (lines, without control characters)."""
        print(dumps(document) if self.json else clean(text))

    def table(self, document: object, columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
        """Print the document, or for people a table; the sentence `empty` when there is no row."""
        if self.json or not rows:
            self.show(document, empty)
        elif sys.stdout.isatty():
            _rich(columns, rows)
        else:
            print(plain_table(columns, rows))

    def progress(self, what: str) -> Callable[[int, int], None] | None:
        """Return what shows the progress of long work on a terminal; None where nobody would see it."""
        if self.json or not sys.stderr.isatty():
            return None

        def show(done: int, total: int) -> None:
            end = "\n" if done >= total else ""
            print(f"\r{what}: {100 * done // max(total, 1)} %", end=end, file=sys.stderr, flush=True)

        return show

    def note(self, text: str) -> None:
        """Say on standard error what is going on."""
        print(clean(text), file=sys.stderr)


def dumps(document: object) -> str:
    """Return one line of JSON; control characters stay escaped, so a terminal that shows it is safe."""
    return json.dumps(document, ensure_ascii=False, default=str).translate(_ESCAPED)


def clean(text: str, *, line: bool = False) -> str:
    """Return the text without control and direction-changing characters; `line` drops line ends and tabs as well."""
    return text.translate(_CONTROL) if line else text.translate(_KEPT)


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return aligned columns with two spaces between them, the last one as long as it is."""
    cells = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def _cell(value: object) -> str:
    return "" if value is None else clean(str(value).replace("\n", " "), line=True)


def _rich(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    Console(no_color="NO_COLOR" in os.environ).print(table)


def show_error(problem: HarnessError, *, as_json: bool) -> None:
    """Print an error and its remedy on standard error; with --json as an object `{"error": {...}}`."""
    if as_json:
        print(dumps({"error": problem.as_dict()}), file=sys.stderr)
        return
    print(clean(f"error: {problem.message} ({problem.code})"), file=sys.stderr)
    if problem.hint:
        print(clean(f"  hint: {problem.hint}"), file=sys.stderr)


def instant(milliseconds: int | None) -> str:
    """Return an instant for people, in ISO 8601 and UTC to the second; empty for None."""
    if milliseconds is None:
        return ""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pick(row: Mapping[str, object], *names: str) -> dict[str, object]:
    """Return these columns of a row."""
    return {name: row[name] for name in names}
