"""`harness mission`: boot and what an agent or a person says of the mission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnessos.app.missions import booting, verbs, views
from harnessos.app.missions.opening import At
from harnessos.commands.output import instant
from harnessos.kernel import missions
from harnessos.mission import judging, keeping
from harnessos.mission.evaluation import NOT_VERIFIABLE, PASSED

if TYPE_CHECKING:
    from harnessos.app.missions.booting import Booted
    from harnessos.commands.call import Call
    from harnessos.store.transaction import Row


_MOST_SHOWN = 20


def boot(call: Call) -> int:
    """Say whether the mission may run now."""
    args = call.args
    at, made = booting.open_or_take(
        call.harness, args.workspace, call.out.note, init=args.init, adopt=args.adopt, max_failures=args.max_failures
    )
    with at:
        found = booting.look(at, args.session or call.harness.environ.get("HARNESS_SESSION_TOKEN"), made)
        call.out.show(views.booted(found), _boot_text(found, init=args.init))
        return 0 if args.init else found.boot.code


def _boot_text(found: Booted, *, init: bool) -> str:
    mission, said = found.mission, found.boot
    lines = [f"wrote {name}" for name in found.made]
    lines += [
        f"{mission['name']} ({mission['identifier']})  {found.at.place}",
        f"  status      {mission['status']}, next step {mission['step']}, runs {mission['runs']}",
        f"  breaker     {mission['breaker']}, failures in a row {mission['failures']} of {mission['max_failures']}",
        f"  memory      {found.topics} topics, stream {found.stream_bytes / 1024:.0f} KB",
        *(f"  tool        {tool.name}: {_there(tool.present)}" for tool in found.tools),
        *(f"  note        {note}" for note in said.notes),
        *(f"  mend        {problem}" for problem in said.problems[:_MOST_SHOWN]),
        *([f"  mend        and {len(said.problems) - _MOST_SHOWN} more"] if len(said.problems) > _MOST_SHOWN else []),
    ]
    if init and said.code:
        files = "mission.md, eval_criteria.md, playbook.md and cron_config.md"
        return "\n".join([*lines, f"Now fill in {files}, then: harness mission boot {found.at.place}"])
    return "\n".join([*lines, said.sentence, *([f"  {said.todo}"] if said.todo else [])])


def _there(present: bool | None) -> str:
    return "not probed" if present is None else "there" if present else "missing"


def start(call: Call) -> None:
    """Begin a run."""
    with At(call.harness, call.args.workspace) as at:
        run = verbs.start(at, call.args.session, call.args.ttl)
        document = {
            "run": run.run,
            "number": run.number,
            "step": run.step,
            "token": run.token,
            "expires_at": run.expires_at,
            "mission": views.document(at.row()),
        }
        token = f"\n  token {run.token} (kept in .harness/run.json for the commands that follow)" if run.token else ""
        text = f"run #{run.number} ({run.run}) goes on at {run.step}, its lease lasts until {instant(run.expires_at)}{token}"
        call.out.show(document, text)


def done(call: Call) -> None:
    """Claim that a step is done."""
    with At(call.harness, call.args.workspace) as at:
        row = verbs.done(at, call.args.session, call.args.step, call.args.summary)
        _said(call, row, f"recorded as done; `harness mission eval {at.place}` decides whether it is")


def fail(call: Call) -> None:
    """Say that the run failed."""
    with At(call.harness, call.args.workspace) as at:
        row = verbs.fail(at, call.args.session, call.args.step, call.args.error)
        _said(call, row, f"recorded as failed, {row['failures']} in a row of {row['max_failures']}")


def blocked(call: Call) -> None:
    """Say that the mission needs a person."""
    with At(call.harness, call.args.workspace) as at:
        row = verbs.blocked(at, call.args.session, call.args.reason)
        _said(call, row, f"blocked; a person lifts it: `harness mission resume {at.place}`")


def _said(call: Call, row: Row, text: str) -> None:
    tripped = "; the Circuit Breaker has tripped, the mission is blocked" if row["breaker"] == "tripped" else ""
    call.out.show(views.document(row), f"{row['name']}: {text}{tripped}")


def judge(call: Call) -> int:
    """Evaluate; exit 0 when everything mandatory passed."""
    with At(call.harness, call.args.workspace) as at:
        tell = call.out.progress("checking")
        verbs.renew(at, call.args.session)
        found, decided = judging.judge(at.site, (lambda _: None) if tell is None else _teller(call))
        document = judging.report(found)
        if call.out.json:
            call.out.show(document, "")
        else:
            _table(call, document, found.verdict)
            what = "the last claim is decided by it" if decided else "no claim was open, so nothing changes"
            call.out.note(f"{what}; written to {at.place / judging.REPORT}")
        return 0 if found.verdict == PASSED else 1


def _teller(call: Call) -> Any:
    return lambda name: call.out.note(f"checking {name}")


def _table(call: Call, document: dict[str, Any], verdict: str) -> None:
    rows = [
        (
            check["name"],
            "yes" if check["mandatory"] else "no",
            check["applies"],
            {None: "open", True: "passed", False: "FAILED"}[check["passed"]],
            f"{check['seconds']:.1f}",
            check["isolation"],
            check["detail"],
        )
        for check in document["checks"]
    ]
    columns = ("CHECK", "MANDATORY", "APPLIES", "RESULT", "SECONDS", "ISOLATION", "DETAIL")
    call.out.table(document, columns, rows, "no check")
    why = ": no mandatory check could be run, so nothing is proved" if verdict == NOT_VERIFIABLE else ""
    call.out.show(document, f"eval {verdict}{why}")


def complete(call: Call) -> None:
    """Set the mission complete."""
    with At(call.harness, call.args.workspace) as at:
        row = judging.complete(at.site)
        call.out.show(views.document(row), f"{row['name']}: mission_complete")


def pause(call: Call) -> None:
    """Hold the mission."""
    with At(call.harness, call.args.workspace) as at:
        at.harness.write(missions.pause, at.mission_id, at.cause)
        _changed(call, at, "paused; `harness mission resume` lifts it")


def resume(call: Call) -> None:
    """Lift hold, block and breaker."""
    with At(call.harness, call.args.workspace) as at:
        at.harness.write(missions.resume, at.mission_id, at.cause)
        _changed(call, at, "goes on")


def reset(call: Call) -> None:
    """Begin at Step 0."""
    with At(call.harness, call.args.workspace) as at:
        at.harness.write(missions.resume, at.mission_id, at.cause, anew=True)
        _changed(call, at, "begins anew")


def _changed(call: Call, at: At, text: str) -> None:
    keeping.refresh(at.site)
    row = at.row()
    call.out.show(views.document(row), f"{row['name']}: {text}, next step {row['step']}")


def adopt(call: Call) -> int:
    """Take a workspace into this ledger."""
    at, _ = booting.open_or_take(call.harness, call.args.workspace, call.out.note, adopt=True)
    with at:
        found = booting.look(at, None, [])
        call.out.show(views.booted(found), _boot_text(found, init=False))
        return 0
