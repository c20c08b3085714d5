"""Answers that do not fill a context: an ordinary one has at most 2 kB (P10).

A list is asked for again in smaller pages, so that its cursor stays right; what is no page is shortened, and says so.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harnessos.mcp.actions import Asked

MOST = 1_800
"""Bytes of JSON, with room for `next`."""
PAGES = (20, 10, 5, 2, 1)
_LEAST = 60
"""Characters that stay of every text."""
_MARK = 40
"""What saying so costs."""

Place = tuple[Any, Any]  # Any: a list or dict, and an index or key into it


def fitted(asked: Asked, ask: Callable[[int | None], dict[str, Any]]) -> dict[str, Any]:
    """Return an answer of the size its action may have. `ask` is given the rows of a page, None for as many as asked for."""
    most = asked.action.own_limit or MOST
    names = {one.name for one in asked.action.fields}
    if "limit" in asked.given:
        return ask(None)
    if not {"limit", "cursor"} <= names or asked.action.writes:
        return shortened(ask(None), most)
    document: dict[str, Any] = {}
    for rows in PAGES:
        document = ask(rows)
        if size(document) <= most:
            return document
    return shortened(document, most)


def size(document: object) -> int:
    """Return its bytes as JSON."""
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def shortened(document: dict[str, Any], most: int) -> dict[str, Any]:
    """Return the document so that it fits: its longest text is cut as far as needed, then its longest list, and so on.

    `shortened` says that something was left out. What is left when nothing can be cut any more may be larger.
    """
    if size(document) <= most:
        return document
    cut: dict[str, Any] = {**json.loads(json.dumps(document)), "shortened": True}
    while (beyond := size(cut) - most) > 0:
        inside, key = max(_texts(cut), key=lambda place: len(place[0][place[1]]), default=({"": ""}, ""))
        text = inside[key]
        if len(text) > _LEAST + _MARK:
            kept = max(_LEAST, len(text) - beyond - _MARK)
            left = len(text) - kept
            # What a gate printed tells most at its end.
            ends = key == "excerpt"
            inside[key] = (
                f"({left} characters before) …{text[-kept:]}" if ends else f"{text[:kept]}… ({left} more characters)"
            )
            continue
        found = max(_lists(cut), key=size, default=None)
        if found is None:
            break
        del found[len(found) // 2 :]
    return cut


def _texts(part: Any) -> Iterator[Place]:
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in items:
        if isinstance(value, str):
            yield part, key
        else:
            yield from _texts(value)


def _lists(part: Any) -> Iterator[list[Any]]:
    if isinstance(part, list) and len(part) > 1:
        yield part
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _lists(value)
