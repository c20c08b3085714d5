"""Answers that do not fill a context: an ordinary one has at most 2 kB (P10).

A list is asked for again in smaller pages, so that its cursor stays right; what is no page is shortened, and says so.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnessos.mcp.actions import Asked

MOST = 1_800
"""Bytes of JSON, with room for `next`."""
PAGES = (20, 10, 5, 2, 1)
_TEXT = (400, 160, 60)
_ITEMS = (10, 4, 1)


def fitted(asked: Asked, ask: Callable[[int | None], dict[str, Any]]) -> dict[str, Any]:
    """Return an answer of the size its action may have. `ask` is given the rows of a page, None for as many as asked for."""
    most = asked.action.own_limit or MOST
    paged = any(one.name == "limit" for one in asked.action.fields)
    if "limit" in asked.given or not paged:
        whole = ask(None)
        return whole if "limit" in asked.given else shortened(whole, most)
    document: dict[str, Any] = {}
    for rows in PAGES if not asked.action.writes else PAGES[:1]:
        document = ask(rows)
        if size(document) <= most:
            return document
    return shortened(document, most)


def size(document: object) -> int:
    """Return its bytes as JSON."""
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def shortened(document: dict[str, Any], most: int) -> dict[str, Any]:
    """Return the document with its texts and lists cut until it fits; `shortened` says that something was left out."""
    if size(document) <= most:
        return document
    for texts, items in zip(_TEXT, _ITEMS, strict=True):
        cut = {**_cut(document, texts, items), "shortened": True}
        if size(cut) <= most:
            return cut
    return cut


def _cut(part: Any, texts: int, items: int) -> Any:
    if isinstance(part, str):
        return part if len(part) <= texts else f"{part[:texts]}… ({len(part) - texts} more characters)"
    if isinstance(part, list):
        return [_cut(one, texts, items) for one in part[:items]]
    if isinstance(part, dict):
        return {key: _cut(value, texts, items) for key, value in part.items()}
    return part
