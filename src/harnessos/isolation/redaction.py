"""Blacks out what looks like a secret before output of a check reaches a report. Pure.

Shapes that are known, values that stand beside a telling name, and values the caller knows. It errs on the black side.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BLACK = "[redacted]"
_SHORTEST = 6
_TELLING = re.compile(r"(?i)(?:key|token|secret|passw(?:or)?d|passphrase|credential|auth|dsn|database_url|store)s?\Z")

_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_SHAPES = re.compile(
    r"""\b(?:
        sk-[\w-]{16,} | (?:sk|pk|rk)_(?:live|test)_\w{16,} | gh[pousr]_\w{20,} | github_pat_\w{20,} | glpat-[\w-]{16,}
        | xox[abeoprs]-[\w-]{10,} | (?:AKIA|ASIA)[A-Z0-9]{16} | AIza[\w-]{30,} | ya29\.[\w-]{20,} | npm_\w{30,}
        | hf_\w{20,} | hs_[0-9a-z]{32} | SG\.[\w-]{16,}\.[\w-]{16,} | eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?
        | dop_v1_[0-9a-f]{32,} | shp(?:at|ss)_[0-9a-f]{32} | pypi-[\w-]{32,}
    )""",
    re.VERBOSE,
)
_IN_ADDRESS = re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{0,100}:)[^\s/@]{1,200}(@)", re.IGNORECASE)
_BEARER = re.compile(r"(\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE)
_NAMED = re.compile(
    r"""(\b[\w.-]{0,40}(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)
        [\w-]{0,20}["']?\s{0,3}(?:=|:)\s{0,3})(?:"[^"\n]{4,500}"|'[^'\n]{4,500}'|[^\s"',;]{4,500})""",
    re.IGNORECASE | re.VERBOSE,
)


def redacted(text: str, known: Iterable[str] = ()) -> str:
    """Return the text with everything black that has a secret's shape, or is one of the `known` values."""
    for value in sorted((one for one in known if len(one) >= _SHORTEST), key=len, reverse=True):
        text = text.replace(value, BLACK)
    text = _BLOCK.sub(BLACK, text)
    text = _IN_ADDRESS.sub(rf"\1{BLACK}\2", text)
    text = _SHAPES.sub(BLACK, text)
    text = _BEARER.sub(rf"\1{BLACK}", text)
    return _NAMED.sub(rf"\1{BLACK}", text)


def known_secrets(environ: Mapping[str, str]) -> list[str]:
    """Return the values of an environment whose name says that they are secret."""
    return [value for name, value in environ.items() if _TELLING.search(name) and len(value) >= _SHORTEST]
