"""`mission eval` and what needs it: judging a claim, and judging everything before a mission is complete."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos import errors
from harnessos.files import atomic_write, contained
from harnessos.kernel import mission_runs, missions
from harnessos.mission import evaluation, judged_files, keeping, workspace
from harnessos.mission.documents import reading
from harnessos.mission.documents.criteria import mandatory, unjudged
from harnessos.mission.evaluation import Evaluation, Scope
from harnessos.model import mission as model
from harnessos.model.instants import stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from harnessos.mission.documents.reading import Loaded
    from harnessos.mission.site import Site
    from harnessos.model.mission import Claim
    from harnessos.store.transaction import Row

REPORT = "logs/eval_report.json"


def judge(site: Site, tell: Callable[[str], None] = lambda _: None) -> tuple[Evaluation, bool]:
    """Evaluate the workspace as it is; an open claim is decided by it. Return whether there was one."""
    mission = site.row()
    claim = model.read(mission).claim
    loaded = reading.load(site.place)
    found, files = _evaluate(site, loaded, _scope(loaded, claim), tell)
    decided = _record(site, loaded, claim, found, files)
    return found, decided


def _scope(loaded: Loaded, claim: model.Claim | None) -> Scope:
    """Return what judges a claim. One of a step the playbook does not have is judged by the checks of every step."""
    if claim is None:
        return Scope()
    return Scope(claim.step, all_steps=not model.known_step(loaded.steps, claim.step))


def judge_open(site: Site, loaded: Loaded) -> None:
    """Judge the last claim if nobody has: what comes next must not overtake it."""
    claim = model.read(site.row()).claim
    if claim is not None and claim.unjudged:
        found, files = _evaluate(site, loaded, _scope(loaded, claim), lambda _: None)
        _record(site, loaded, claim, found, files)
        mission_runs.refuse_stopped(site.row())


def _evaluate(
    site: Site, loaded: Loaded, scope: Scope, tell: Callable[[str], None]
) -> tuple[Evaluation, dict[str, str]]:
    try:
        files = judged_files.hashes(site.place)
    except errors.BadDocument as problem:
        return _not_verifiable("output", f"{problem}; {problem.hint}"), {}
    if loaded.criteria is None:
        why = next((each.describe() for each in loaded.problems if each.file == "eval_criteria.md"), "it says nothing")
        return _not_verifiable("eval_criteria.md", why), files
    found = evaluation.evaluate(
        site.place,
        loaded.criteria,
        loaded.contract,
        scope,
        evaluation.boxes_of(site.ground),
        tell,
    )
    return found, files


def _not_verifiable(name: str, why: str) -> Evaluation:
    check = evaluation.Judged(name, "", True, "run", False, why, 0.0, evaluation.UNISOLATED)
    return Evaluation(evaluation.NOT_VERIFIABLE, (check,))


def _record(site: Site, loaded: Loaded, claim: Claim | None, found: Evaluation, files: dict[str, str]) -> bool:
    checks = [check.record() for check in found.checks]
    verdict = mission_runs.Verdict(found.verdict, checks, files, loaded.steps)
    decided = site.write(mission_runs.judge, site.mission_id, claim.run if claim else None, verdict, site.cause)
    write_report(site, found)
    level = "SUCCESS" if found.verdict == evaluation.PASSED else "ERROR"
    failing = f": {', '.join(found.failing)}" if found.failing else ""
    # Of the step that was claimed: the pointer has moved on by now.
    site.note(level, (claim.step if claim else "") or site.row()["step"], f"eval {found.verdict}{failing}")
    keeping.refresh(site, loaded, take_step=not decided)
    return decided


def write_report(site: Site, found: Evaluation) -> None:
    """Write logs/eval_report.json."""
    document = {"timestamp": stamp(site.now()), "workspace": str(site.place), **report(found)}
    path = contained(site.place, site.place / REPORT)
    path.parent.mkdir(exist_ok=True)
    with workspace.lock(site.place):
        atomic_write(path, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())


def report(found: Evaluation) -> dict[str, Any]:
    """Return what `eval --json` prints. Any: see mission.evaluation."""
    return {"verdict": found.verdict, "checks": [check.document() for check in found.checks]}


def complete(site: Site, tell: Callable[[str], None] = lambda _: None) -> Row:
    """Set the mission complete: the last evaluation passed at these files, and now every mandatory check passes.

    Refused (65) with the names of what fails or was never judged, and to an agent where a person has to look first.
    Return the mission's row.
    """
    mission = site.row()
    mission_runs.refuse_stopped(mission)
    loaded = reading.load(site.place)
    judged = json.loads(mission["judged_json"])
    if judged.get("verdict") != evaluation.PASSED or judged.get("files") != judged_files.hashes(site.place):
        raise _unjudged(site, mission, loaded, judged)
    found, files = _evaluate(site, loaded, Scope(everything=True), tell)
    write_report(site, found)
    if found.verdict != evaluation.PASSED:
        failing = [*found.failing] or ["no mandatory check"]
        raise errors.Refused(
            f"not complete, these criteria fail: {', '.join(failing)}",
            hint=f"mend them, then `harness mission eval {site.place}` and try again",
            failing=failing,
        )
    open_ = _for_a_person(site, loaded)
    if open_ and site.cause.actor.kind == "agent":
        raise errors.Refused(
            f"not complete by an agent's word: {open_.why}",
            hint=f"ask a person to look, and to say `harness mission complete {site.place}`",
            failing=list(open_.names),
        )
    return _completed(site, loaded, found, files)


def complete_if_reached(site: Site, loaded: Loaded) -> bool:
    """Set a mission complete that declares an end, once everything mandatory passes; return whether it is.

    A mission without a mandatory check of completion never completes by itself; where a person has to look, one is asked.
    """
    if not _declares_end(loaded):
        return False
    found, files = _evaluate(site, loaded, Scope(everything=True), lambda _: None)
    if found.verdict != evaluation.PASSED:
        return False
    open_ = _for_a_person(site, loaded)
    if open_:
        site.write(missions.ask_to_complete, site.mission_id, open_.why)
        return False
    write_report(site, found)
    _completed(site, loaded, found, files)
    return True


class _Open(NamedTuple):
    """Why the checks alone do not make the mission complete, and the names of what they do not reach."""

    why: str
    names: tuple[str, ...]


def _for_a_person(site: Site, loaded: Loaded) -> _Open | None:
    """Return what nobody but a person can say: that an unjudged condition holds, that rewritten criteria are the right ones."""
    if loaded.criteria is not None and loaded.contract is not None:
        names = unjudged(loaded.criteria, loaded.contract)
        if names:
            return _Open(f"no check judges what mission.md calls mandatory: {', '.join(names)}", names)
    if site.read(missions.rewritten, site.mission_id):
        return _Open("eval_criteria.md changed during a run, and no person has looked since", ("eval_criteria.md",))
    return None


def _declares_end(loaded: Loaded) -> bool:
    if loaded.criteria is None or loaded.contract is None:
        return False
    must = mandatory(loaded.criteria, loaded.contract)
    return any(
        standard.completion and standard.id in must and standard.checks for standard in loaded.criteria.standards
    )


def _completed(site: Site, loaded: Loaded, found: Evaluation, files: dict[str, str]) -> Row:
    results = {check.standard: check.passed for check in found.checks}
    site.write(mission_runs.complete, site.mission_id, files, site.cause, results)
    site.note("SUCCESS", "final", "mission complete")
    keeping.refresh(site, loaded)
    return site.row()


def _unjudged(site: Site, mission: Row, loaded: Loaded, judged: dict[str, Any]) -> errors.Refused:
    """Return the error that names what failed at the last evaluation, or everything mandatory when there was none."""
    failing = list(judged.get("failing", []))
    if judged.get("verdict") == evaluation.PASSED:
        what = "files changed since the last evaluation"
    elif not judged:
        what = "nothing was evaluated yet"
    else:
        what = "the last evaluation did not pass"
    if not failing and loaded.criteria is not None:
        failing = sorted(standard.id for standard in loaded.criteria.standards if standard.mandatory)
    return errors.Refused(
        f"{mission['identifier']} is not complete: {what}; criteria: {', '.join(failing) or 'none that can be run'}",
        hint=f"`harness mission eval {site.place}` judges the workspace as it is now",
        failing=failing,
    )
