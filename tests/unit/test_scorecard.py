"""A scorecard as a value: what is right in itself, its average, and what it cites."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnessos.gates.scorecard import problem_of
from harnessos.model.facts import Card
from harnessos.model.gate import Gate, GateKind
from harnessos.model.scorecard import Dimension, parse_scorecard, unresolved
from harnessos.model.verdict import GateResult, Verdict, decide
from tests.support.scorecards import card

GATE = Gate("marks", GateKind.SCORECARD)
DIFF = Gate("changes", GateKind.DIFF)


def problems_of(document: object) -> list[str]:
    found: list[str] = []
    parse_scorecard(document, "card", found)
    return found


def test_a_card_is_read_with_its_average_by_weight_and_what_it_cites() -> None:
    read = parse_scorecard(card({"correctness": 10, "security": 8, "quality": 8, "runtime_evidence": 8}), "card", [])
    assert read is not None
    assert read.average == round((2 * 10 + 8 * 1.5 + 8 * 1 + 8 * 1.5) / 6, 4)
    assert read.cited == ("art-1",)
    assert (read.needs(), read.needs(9)) == (8, 9)


def changed(**fields: Any) -> dict[str, Any]:
    return {**card(), **fields}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in card().items() if key != name}


def of(part: str, number: int, **fields: Any) -> dict[str, Any]:
    """A card one of whose criteria or scores is changed."""
    made = copy.deepcopy(card())
    made[part][number].update(fields)
    return made


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ([], "a scorecard"),
        (changed(odd=1), "odd"),
        (without("id"), "id"),
        (without("criteria"), "criteria"),
        (changed(criteria=card()["criteria"][:3]), "4 to 15"),
        (changed(criteria=card()["criteria"] * 5), "4 to 15"),
        (changed(scope="assignment"), "scope"),
        (changed(weightedAverage=10), "weightedAverage"),
        (changed(targetScore=11), "targetScore"),
        (of("criteria", 0, dimension="beauty"), "dimension"),
        (of("criteria", 3, dimension="quality"), "runtime_evidence"),
        (of("criteria", 0, weight=9), "weight"),
        (of("criteria", 0, weight="2"), "weight"),
        (of("criteria", 1, id="correctness"), "twice"),
        (of("scores", 0, score=11), "score"),
        (of("scores", 0, score=7.5), "score"),
        (of("scores", 0, criterionId="nothing"), "no criterion"),
        (of("scores", 1, criterionId="correctness"), "twice"),
        (of("scores", 0, evidenceArtifactIds=[]), "evidence"),
        (of("scores", 0, evidenceArtifactIds=["a", "a"]), "twice"),
        (changed(scores=card()["scores"][:3]), "no score for"),
    ],
)
def test_a_card_that_is_wrong_says_where(document: object, word: str) -> None:
    found = problems_of(document)
    assert any(word in problem for problem in found), found


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
                        st.sampled_from(["id", "criteria", "scores", "weight", "score", "dimension", "x"]), inner, max_size=5),
                    max_leaves=12))  # fmt: skip
def test_any_value_is_a_card_or_has_problems(document: object) -> None:
    found: list[str] = []
    assert (parse_scorecard(document, "card", found) is None) == bool(found)


def test_evidence_that_is_not_there_is_named() -> None:
    read = parse_scorecard(card(), "card", [])
    assert read is not None
    assert unresolved(read, ["art-1", "art-2"]) == []
    assert unresolved(read, []) == ["art-1"]


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (None, "no scorecard"),
        (Card("c", 7.9, 8), "7.9"),
        (Card("c", 10.0, 8, "there is no evidence art-9"), "art-9"),
        (Card("c", 8.0, 8), ""),
    ],
)
def test_the_gate_asks_for_eight_and_for_evidence(found: Card | None, word: str) -> None:
    said = problem_of(GATE, found)
    assert word in said
    assert bool(said) is bool(word)


def test_a_gates_own_target_is_asked_for_where_it_is_higher() -> None:
    assert "9" in problem_of(GATE._replace(target=9), Card("c", 8.5, 8))
    assert problem_of(GATE._replace(target=3), Card("c", 7.0, 8)) != ""


def test_a_scorecard_alone_proves_nothing() -> None:
    marks = GateResult("marks", GateKind.SCORECARD, True, True, "c" * 40)
    change = GateResult("changes", GateKind.DIFF, True, True, "c" * 40)
    alone = decide([GATE], [marks], protected_changed=(), subject="c" * 40)
    assert alone.verdict is Verdict.UNVERIFIED
    both = decide([GATE, DIFF], [marks, change], protected_changed=(), subject="c" * 40)
    assert both.verdict is Verdict.VERIFIED
    poor = decide([GATE, DIFF], [marks._replace(passed=False), change], protected_changed=(), subject="c" * 40)
    assert poor.verdict is Verdict.REJECTED


def test_the_dimensions_are_those_of_the_earlier_product() -> None:
    assert [one.value for one in Dimension] == ["correctness", "security", "quality", "runtime_evidence"]
