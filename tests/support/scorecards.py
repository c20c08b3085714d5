"""Scorecards as agents write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WEIGHTS = {"correctness": 2, "security": 1.5, "quality": 1, "runtime_evidence": 1.5}


def card(scores: Mapping[str, int] | None = None, evidence: str = "art-1", **fields: Any) -> dict[str, Any]:
    """A card of four criteria, one for each dimension, all marked 9; every mark cites the same evidence. Any: JSON."""
    marks = {**dict.fromkeys(_WEIGHTS, 9), **(scores or {})}
    return {
        "contractVersion": "1.0.0", "id": "card-1", "scope": "run", "summary": "it works",
        "criteria": [
            {"id": name, "dimension": name, "name": name, "description": "how good", "weight": weight}
            for name, weight in _WEIGHTS.items()
        ],
        "scores": [
            {"criterionId": name, "score": mark, "notes": "looked at it", "evidenceArtifactIds": [evidence]}
            for name, mark in marks.items()
        ],
        "targetScore": 8, **fields,
    }  # fmt: skip
