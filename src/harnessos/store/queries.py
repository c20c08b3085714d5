"""SQL by name. `run_claim` lives in `sql/common/run.sql`; a dialect's own file of that noun overrides it.

A query is `-- name: run_claim`, a sentence saying what it does, and one statement with `:parameters`.
Files are read when their first query is asked for, so a hot command parses one or two of them.
"""

from __future__ import annotations

import re
from pathlib import Path

_FOLDER = Path(__file__).parent / "sql"
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")


class Query:
    """One named statement as written; `positional` is how PostgreSQL takes it."""

    __slots__ = ("name", "sql")

    def __init__(self, name: str, sql: str) -> None:
        self.name = name
        self.sql = sql

    @property
    def positional(self) -> tuple[str, tuple[str, ...]]:
        """Return the statement with `$1`, `$2`, ... and the name that each of them stands for."""
        names = tuple(dict.fromkeys(_PARAMETER.findall(self.sql)))
        places = {name: f"${place}" for place, name in enumerate(names, 1)}
        return _PARAMETER.sub(lambda found: places[found[1]], self.sql), names

    @property
    def parameters(self) -> frozenset[str]:
        """Return the names of the statement's parameters."""
        return frozenset(_PARAMETER.findall(self.sql))


def parse(text: str) -> dict[str, Query]:
    """Split one `.sql` file into its named queries."""
    found = {}
    for part in text.split("-- name:")[1:]:
        head, _, body = part.partition("\n")
        lines = [line for line in body.split("\n") if not line.lstrip().startswith("--")]
        found[head.strip()] = Query(head.strip(), "\n".join(lines).strip().rstrip(";"))
    return found


class Queries:
    """The statements of one dialect (`sqlite` or `postgres`), loaded noun by noun."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self._found: dict[str, Query] = {}
        self._nouns: set[str] = set()

    def __getitem__(self, name: str) -> Query:
        """Return the statement, KeyError for a name that no file has."""
        query = self._found.get(name)
        if query is None:
            noun = name.partition("_")[0]
            if noun not in self._nouns:
                self._load(noun)
            query = self._found[name]
        return query

    def _load(self, noun: str) -> None:
        for folder in ("common", self._dialect):
            file = _FOLDER / folder / f"{noun}.sql"
            if file.exists():
                self._found.update(parse(file.read_text(encoding="utf-8")))
        # Last: another thread that finds the noun known must find its statements too.
        self._nouns.add(noun)

    def all(self) -> dict[str, Query]:
        """Return every statement of the dialect (for tests and EXPLAIN)."""
        for folder in ("common", self._dialect):
            for file in (_FOLDER / folder).glob("*.sql"):
                if file.stem not in self._nouns:
                    self._load(file.stem)
        return dict(self._found)
