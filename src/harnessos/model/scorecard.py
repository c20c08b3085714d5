"""A scorecard: an agent's own marks for its work, each resting on evidence that there is (CSQR-lite).

It is read from the document that the earlier product's agents write. It proves nothing by itself: the gate of kind
`scorecard` asks for one, beside gates that prove something.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from harnessos.model.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEAST = 8
"""The average that is asked for at least, whatever a card aims at."""
FEWEST, MOST = 4, 15
LARGEST = 64 * 1024
KIND = "scorecard"
_LIGHTEST, _HEAVIEST = 0.1, 5.0
_DIGITS = 4
_LARGEST_NUMBER = 1e6
_CARD = frozenset({
    "contractVersion", "id", "scope", "runId", "assignmentId", "summary", "criteria", "scores", "weightedAverage",
    "targetScore", "createdAt", "metadata",
})  # fmt: skip
_CRITERION = frozenset({"id", "dimension", "name", "description", "weight"})
_SCORE = frozenset({"criterionId", "score", "notes", "evidenceArtifactIds"})


class Dimension(Enum):
    """What a criterion is about; a card has all four."""

    CORRECTNESS = "correctness"
    SECURITY = "security"
    QUALITY = "quality"
    RUNTIME_EVIDENCE = "runtime_evidence"


class Scorecard(NamedTuple):
    """A card that is right in itself: its average by weight, what it aims at, and the evidence it rests on, by id."""

    id: str
    summary: str
    average: float
    target: int
    cited: tuple[str, ...]

    def needs(self, gate_target: int = LEAST) -> int:
        """Return the average that is asked of it."""
        return max(LEAST, self.target, gate_target)


def parse_scorecard(document: object, where: str, problems: list[str]) -> Scorecard | None:
    """Read a card. Every problem is appended as `path: sentence`; with any, the answer is None."""
    fields = Fields.of(document, where, problems, expected="a scorecard (an object)")
    if fields is None:
        return None
    before = len(problems)
    fields.only(_CARD, "of a scorecard")
    name, summary = fields.text("id") or "", fields.text("summary") or ""
    if fields.get("scope") not in (None, "run"):
        fields.problem("scope", "must be `run`: what is judged is a run's work")
    weights = _weights(fields)
    scores, cited = _scores(fields, weights)
    average = _average(weights, scores)
    claimed = fields.get("weightedAverage")
    if claimed is not None and (not _number(claimed) or round(float(claimed), _DIGITS) != average):  # type: ignore[arg-type] # _number looked
        fields.problem("weightedAverage", f"must be {average}, the average by weight, or be left out")
    target = fields.number("targetScore", LEAST, low=1, high=10)
    return Scorecard(name, summary, average, target, cited) if len(problems) == before else None


def _weights(fields: Fields) -> Mapping[str, float]:
    """Return the weight of each criterion, by id."""
    found: dict[str, float] = {}
    seen: set[Dimension] = set()
    entries = fields.objects("criteria")
    if not FEWEST <= len(entries) <= MOST:
        fields.problem("criteria", f"must be {FEWEST} to {MOST} criteria, not {len(entries)}")
    for entry in entries:
        entry.only(_CRITERION, "of a criterion")
        name = entry.text("id") or ""
        entry.text("name")
        if name in found:
            entry.problem("id", f"{name} is there twice")
        if entry.get("dimension") not in [one.value for one in Dimension]:
            entry.problem("dimension", f"must be one of {', '.join(one.value for one in Dimension)}")
        else:
            seen.add(Dimension(entry.get("dimension")))
        weight = entry.get(
            "weight",
        )
        if weight is None:
            weight = 1.0
        if not _number(weight) or not _LIGHTEST <= weight <= _HEAVIEST:  # type: ignore[operator] # _number looked
            entry.problem("weight", f"must be a number from {_LIGHTEST} to {_HEAVIEST:g}")
            weight = 1.0
        found[name] = float(weight)  # type: ignore[arg-type] # as above
    missing = [one.value for one in Dimension if one not in seen]
    if entries and missing:
        fields.problem("criteria", f"none is about {', '.join(missing)}")
    return found


def _scores(fields: Fields, weights: Mapping[str, float]) -> tuple[Mapping[str, int], tuple[str, ...]]:
    """Return the mark of each criterion, and every id of evidence that is cited."""
    found: dict[str, int] = {}
    cited: list[str] = []
    for entry in fields.objects("scores"):
        entry.only(_SCORE, "of a score")
        name = entry.text("criterionId") or ""
        if name in found or name not in weights:
            entry.problem(
                "criterionId", f"{name} is scored twice" if name in found else f"there is no criterion {name}"
            )
        found[name] = entry.number("score", 1, low=1, high=10)
        if "score" not in entry:
            entry.problem("score", "is missing")
        entry.text("notes")
        ids = entry.texts("evidenceArtifactIds")
        if not ids and not entry.failed("evidenceArtifactIds"):
            entry.problem("evidenceArtifactIds", "must name at least one piece of evidence")
        if len(set(ids)) != len(ids):
            entry.problem("evidenceArtifactIds", "names the same evidence twice")
        cited += ids
    missing = [name for name in weights if name not in found]
    if missing:
        fields.problem("scores", f"no score for {', '.join(missing)}")
    return found, tuple(dict.fromkeys(cited))


def _average(weights: Mapping[str, float], scores: Mapping[str, int]) -> float:
    both = [(weight, scores[name]) for name, weight in weights.items() if name in scores]
    total = sum(weight for weight, _ in both)
    return round(sum(weight * score for weight, score in both) / total, _DIGITS) if total else 0.0


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST_NUMBER


def unresolved(card: Scorecard, known: Sequence[str]) -> list[str]:
    """Return the ids a card cites that are no evidence of its work."""
    there = frozenset(known)
    return [name for name in card.cited if name not in there]
