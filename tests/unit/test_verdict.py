from __future__ import annotations

import itertools
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnessos.model.gate import Gate, GateKind
from harnessos.model.protection import protected_changes
from harnessos.model.verdict import GateResult, Next, Step, Verdict, after_verdict, decide

SUBJECT = "c0ffee" + "0" * 34
OTHER = "bad0" + "0" * 36


def gate(name: str, required: bool = True) -> Gate:
    return Gate(name=name, kind=GateKind.COMMAND, required=required, shell="x")


def result(name: str, passed: bool | None, **changes: object) -> GateResult:
    base = GateResult(
        gate=name, kind=GateKind.COMMAND, required=True, passed=passed, subject=SUBJECT, detail=f"{name} said"
    )
    return base._replace(**changes)  # type: ignore[arg-type] # test data by field name


STATES: dict[str, list[GateResult]] = {
    "passed": [result("x", True)],
    "ignored files": [result("x", True, tree_state="ignored_files_present")],
    "failed": [result("x", False)],
    "open": [result("x", None, open_approval=True)],
    "broken": [result("x", None)],
    "missing": [],
    "other commit": [result("x", True, subject=OTHER)],
    "other commit failed": [result("x", False, subject=OTHER)],
    "other kind": [result("x", True, kind=GateKind.FILE)],
    "dirty": [result("x", True, tree_state="2 files differ")],
    "passed and failed": [result("x", True), result("x", False)],
    "stale failure": [result("x", False, subject=OTHER), result("x", True)],
}
ERRORS = {"broken", "missing", "other commit", "other commit failed", "other kind", "dirty"}
FAILURES = {"failed", "passed and failed"}


def expected(states: tuple[str, ...], protected: bool) -> Verdict:
    if ERRORS & set(states):
        return Verdict.ERROR
    if FAILURES & set(states):
        return Verdict.REJECTED
    if protected or "open" in states:
        return Verdict.NEEDS_REVIEW
    return Verdict.VERIFIED if states else Verdict.UNVERIFIED


COMBINATIONS = [
    (states, protected)
    for count in range(4)
    for states in itertools.combinations_with_replacement(STATES, count)
    for protected in (False, True)
]


def test_every_combination_of_up_to_three_gates_has_the_verdict_of_the_ledger() -> None:
    for states, protected in COMBINATIONS:
        gates = [gate(f"g{index}") for index in range(len(states))]
        results = [each._replace(gate=f"g{index}") for index, state in enumerate(states) for each in STATES[state]]
        decision = decide(gates, results, protected_changed=["tests/a.py"] if protected else [], subject=SUBJECT)
        assert decision.verdict is expected(states, protected), (states, protected)
        assert decision.reason
        assert bool(decision.failing) == (decision.verdict not in (Verdict.VERIFIED, Verdict.UNVERIFIED))


@pytest.mark.parametrize("state", STATES)
def test_an_optional_gate_only_informs(state: str) -> None:
    results = [*STATES[state], result("main", True)]
    decision = decide([gate("x", required=False), gate("main")], results, protected_changed=[], subject=SUBJECT)
    assert decision.verdict is Verdict.VERIFIED
    alone = decide([gate("x", required=False)], STATES[state], protected_changed=[], subject=SUBJECT)
    assert alone.verdict is Verdict.UNVERIFIED


def test_evidence_for_other_commit_or_dirty_tree_is_refused() -> None:
    for state, words in (("other commit", "another commit"), ("dirty", "not clean"), ("missing", "no result")):
        decision = decide([gate("x")], STATES[state], protected_changed=[], subject=SUBJECT)
        assert (decision.verdict, decision.failing) == (Verdict.ERROR, ("x",))
        assert words in decision.reason


def test_gate_files_changed_by_the_run_are_flagged() -> None:
    """The test file, the workflow and the gate's script, edited in the same run: a person looks."""
    judge = Gate(name="x", kind=GateKind.COMMAND, shell="sh ci/check.sh src", protect=("tests/**",))
    there = {"ci/check.sh", "src/a.py", "tests/a.py", "WORKFLOW.md"}.__contains__

    def judged(*changed: str) -> tuple[Verdict, tuple[str, ...]]:
        flagged = protected_changes(changed, [judge], there)
        decision = decide([judge], STATES["passed"], protected_changed=flagged, subject=SUBJECT)
        return decision.verdict, decision.failing

    assert judged("src/a.py", "docs/new.md") == (Verdict.VERIFIED, ())
    for path in ("ci/check.sh", "tests/a.py", "tests/new/b.py", "WORKFLOW.md"):
        assert judged("src/a.py", path) == (Verdict.NEEDS_REVIEW, (path,))


def test_the_result_may_not_make_its_own_gate_optional() -> None:
    forged = [result("x", False, required=False)]
    assert decide([gate("x")], forged, protected_changed=[], subject=SUBJECT).verdict is Verdict.REJECTED


RESULTS = st.builds(
    GateResult,
    gate=st.sampled_from("abc"),
    kind=st.sampled_from([GateKind.COMMAND, GateKind.APPROVAL]),
    required=st.booleans(),
    passed=st.sampled_from([True, False, None]),
    subject=st.sampled_from([SUBJECT, OTHER]),
    open_approval=st.booleans(),
    tree_state=st.sampled_from(["clean", "ignored_files_present", "dirty"]),
)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=3, unique_by=lambda pair: pair[0]),
    st.lists(RESULTS, max_size=8),
    st.lists(st.sampled_from(["WORKFLOW.md", "t.py"]), max_size=1),
)
def test_verified_means_every_required_gate_passed_at_that_subject(
    declared: list[tuple[str, bool]], results: list[GateResult], protected: list[str]
) -> None:
    gates = [gate(name, required) for name, required in declared]
    decision = decide(gates, results, protected_changed=protected, subject=SUBJECT)
    backwards = decide(gates, list(reversed(results)), protected_changed=protected, subject=SUBJECT)
    assert backwards.verdict is decision.verdict
    if decision.verdict is Verdict.VERIFIED:
        required = [each.name for each in gates if each.required]
        assert required
        assert not protected
        for name in required:
            own = [
                each
                for each in results
                if each.gate == name and each.subject == SUBJECT and each.kind is GateKind.COMMAND
            ]
            assert own
            assert all(each.passed and not each.open_approval and each.tree_state != "dirty" for each in own)


@pytest.mark.parametrize(
    ("verdict", "require_gates", "on_review", "rejections", "answer"),
    [
        (Verdict.VERIFIED, True, "block", 9, Next(Step.DONE)),
        (Verdict.UNVERIFIED, True, "block", 0, Next(Step.BLOCKED, "approval:unverified")),
        (Verdict.UNVERIFIED, False, "reject", 0, Next(Step.DONE)),
        (Verdict.NEEDS_REVIEW, True, "block", 9, Next(Step.BLOCKED, "approval:review")),
        (Verdict.NEEDS_REVIEW, True, "reject", 2, Next(Step.NEXT_TURN)),
        (Verdict.NEEDS_REVIEW, True, "reject", 3, Next(Step.AGENT_FAULT)),
        (Verdict.REJECTED, False, "block", 0, Next(Step.NEXT_TURN)),
        (Verdict.REJECTED, True, "block", 2, Next(Step.NEXT_TURN)),
        (Verdict.REJECTED, True, "block", 3, Next(Step.AGENT_FAULT)),
        (Verdict.ERROR, True, "reject", 0, Next(Step.HARNESS_FAULT)),
    ],
)
def test_what_follows_a_verdict(
    verdict: Verdict, require_gates: bool, on_review: str, rejections: int, answer: Next
) -> None:
    chosen: Literal["block", "reject"] = "reject" if on_review == "reject" else "block"
    after = after_verdict(
        verdict, require_gates=require_gates, on_review=chosen, rejections=rejections, max_rejections=3
    )
    assert after == answer
