"""The composition root: settings, clock, ids, store and actor come together here, for every frontend."""

from __future__ import annotations
