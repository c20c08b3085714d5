"""One small module for each noun; each handler parses nothing and decides nothing, it calls and shows."""

from __future__ import annotations
