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

    from rich.console import Console

    from harnessos.errors import HarnessError

_PROSE = 20
"""Columns of prose are wrapped, and get at least so many cells."""
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
    """Print a table on the terminal, or where it is too narrow each row as a block of lines. No word is ever cut."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(cell_len(text) for text in column) for column in zip(columns, *cells, strict=True)]
    # An identifier, an instant, a path: who copies it needs all of it, in one piece.
    words = [not any(" " in text for text in column) for column in zip(*cells, strict=True)]
    least = [width if whole else min(width, _PROSE) for width, whole in zip(widths, words, strict=True)]
    terminal = console()
    if sum(least) + 2 * len(least) > terminal.width:
        terminal.print(Text(_blocks(columns, cells)), soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, width, whole in zip(columns, least, words, strict=True):
        table.add_column(column, min_width=width, no_wrap=whole, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    terminal.print(table)


def _blocks(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    width = max(map(len, columns))
    blocks = (
        [f"{name.ljust(width)}  {text}".rstrip() for name, text in zip(columns, row, strict=True) if text]
        for row in rows
    )
    return "\n\n".join("\n".join(lines) for lines in blocks)


def console() -> Console:
    """Return the terminal; with NO_COLOR it gets neither colours nor bold nor dim text (no-color.org)."""
    from rich.console import Console

    return Console(color_system=None if os.environ.get("NO_COLOR") else "auto")


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
