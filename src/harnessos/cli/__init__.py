"""The command line: words become a command's arguments, its answer becomes text on a terminal or JSON."""

from __future__ import annotations
