"""How a server was started: what it may do is decided there, never by a tool's argument."""

from __future__ import annotations

from typing import NamedTuple


class Options(NamedTuple):
    """`operator` lets its client do what only a person may; `read_only` refuses whatever writes."""

    operator: bool = False
    read_only: bool = False
    profile: str = "coding"
