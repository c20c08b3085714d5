"""What makes two messages of a log the same message: all but numbers, identifiers, paths and addresses."""

from __future__ import annotations

import re

LONGEST = 400
"""Bytes of a message that are looked at."""

_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_VARIES = re.compile(
    rb"""
      \b[A-Za-z][A-Za-z+.-]*+://[^\s'"<>]*+                            # an address
    | (?:\b[A-Za-z]:|(?<!\w)~)?(?:[\\/][\w.@%+=~\x80-\xff-]++){2,}+[\\/]?  # a path
    | (?<![\w-])[A-Za-z_\x80-\xff-]*+0[\w\x80-\xff-]*+(?:[.,:]0[\w\x80-\xff-]*+)*+  # a number, an identifier, a UUID
    | (?<![\w-])[0a-fA-F]{8,}+(?![\w-])                                  # hexadecimal without a digit
    """,
    re.VERBOSE,
)


def rough(message: bytes) -> bytes:
    """Return the message with all digits alike: cheap, and equal for many messages that are the same."""
    return message[:LONGEST].translate(_DIGITS)


def exact(roughly: bytes) -> bytes:
    """Return the fingerprint of what `rough` returned. Messages of one `rough` have one fingerprint."""
    return b" ".join(_VARIES.sub(b"#", roughly).split()).lower()


def fingerprint(message: bytes) -> bytes:
    """Return what the message has in common with others of its kind; any bytes are understood."""
    return exact(rough(message))
