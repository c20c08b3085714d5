"""Counts patterns in a text. Run as a program by the `file` gate, so it imports the standard library only.

Standard input: `{"patterns": [...], "text": "..."}`; output: a list with the number of matches of each pattern.
"""

from __future__ import annotations

import json
import re
import sys


def counts(patterns: list[str], text: str) -> list[int]:
    """Return how often each pattern is found, in multi-line mode, without overlaps."""
    return [sum(1 for _ in re.finditer(pattern, text, re.MULTILINE)) for pattern in patterns]


if __name__ == "__main__":
    request = json.load(sys.stdin.buffer)
    json.dump(counts(request["patterns"], request["text"]), sys.stdout)
