"""Text that every ledger can hold: valid Unicode without NUL. What comes in from outside is asked or cleaned here once.

PostgreSQL holds no NUL, SQLite and hashing no lone surrogate, which is how Python shows bytes that are no UTF-8.
"""

from __future__ import annotations


def is_sayable(text: str) -> bool:
    """Return whether every ledger can hold this text as it is."""
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def sayable(text: str) -> str:
    r"""Return the text as every ledger can hold it: bytes that are no UTF-8 and NUL are written out, `\udcff`, `\0`."""
    return text if is_sayable(text) else text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
