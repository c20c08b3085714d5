"""The command line: a table of commands, a parser for the one that was called, and a translation for each."""

from __future__ import annotations
