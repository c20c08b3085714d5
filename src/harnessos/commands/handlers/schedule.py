"""`harness schedule`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harnessos import errors
from harnessos.app import schedules as app
from harnessos.app.schedules import Wish
from harnessos.commands.output import instant
from harnessos.inspector.views import counted, number_cursor
from harnessos.kernel import schedules
from harnessos.kernel.schedules import Wanted
from harnessos.model.amounts import parse_instant

if TYPE_CHECKING:
    from harnessos.commands.call import Call

NOT_NOW = 75


def add(call: Call) -> None:
    """Add schedules: one, or all jobs of a file."""
    args = call.args
    if args.file is not None:
        _add_file(call)
        return
    if args.name is None or args.rule is None:
        raise errors.BadUsage("which schedule?", hint="harness schedule add NAME RULE --task TEXT, or --file FILE")
    project, wanted = app.wanted(call.harness, args.project, _wish(args), _wanted(args))
    for warning in call.harness.read(app.missing_campaigns, [(project, wanted)]):
        call.out.note(f"warning: {warning}")
    [done] = app.write(call.harness, args.dry_run, app.add_all, [(project, wanted)], call.harness.cause)
    document = {"done": done.done, "dry_run": args.dry_run, **_document(done.row, project["key"])}
    times = f": next {instant(done.row['next_at'])}" if done.row["next_at"] else ""
    would = "would be " if args.dry_run else ""
    call.out.show(document, f"{args.name} {would}{done.done}{times}")


def _add_file(call: Call) -> None:
    args = call.args
    if args.name is not None or args.task is not None or args.plan is not None or args.mission is not None:
        raise errors.BadUsage("--file brings its own names, rules and tasks", hint="harness schedule add --file FILE")
    found = app.read_file(call.harness, Path(args.file), args.timezone)
    for warning in call.harness.read(app.missing_campaigns, found):
        call.out.note(f"warning: {warning}")
    done = app.write(call.harness, args.dry_run, app.add_all, found, call.harness.cause)
    items = [
        {"done": one.done, **_document(one.row, project["key"])} for (project, _), one in zip(found, done, strict=True)
    ]
    rows = [
        (item["project"], item["name"], item["done"], item["rule"], item["timezone"], instant(item["next_at"]))
        for item in items
    ]
    document = {"items": items, "cursor": None, "dry_run": args.dry_run}
    call.out.table(document, ("PROJECT", "NAME", "DONE", "RULE", "ZONE", "NEXT"), rows, "no job")


def _document(row: dict[str, Any], key: str) -> dict[str, Any]:
    names = ("target", "rule", "timezone", "next_at", "fires_at")
    return {"id": row["id"], "name": schedules.name_of(row), "project": key, **{name: row[name] for name in names}}


def _wish(args: Any) -> Wish:
    """Return what the schedule is for; exactly one of the four. Any: a namespace."""
    given = [name for name in ("task", "template", "plan", "mission") if getattr(args, name) is not None]
    if len(given) != 1:
        raise errors.BadUsage(
            "a schedule has one target", hint="one of --task TEXT, --template FILE, --plan FILE, --mission ISSUE"
        )
    if args.dream and args.mission is None:
        raise errors.BadUsage("--dream needs the mission that dreams", hint="--mission ISSUE --dream")
    if args.mission is not None:
        return Wish(mission=args.mission, dream=args.dream)
    if args.plan is not None:
        return Wish(plan=Path(args.plan), campaign=args.campaign)
    fields: dict[str, object] = {}
    if args.template is not None:
        from harnessos.plans.templates import template_of

        fields = template_of(Path(args.template))
    given_fields = {"task": args.task, "description": args.description, "priority": args.priority, "size": args.size}
    fields |= {name: value for name, value in given_fields.items() if value is not None}
    if args.deadline is not None:
        fields["deadlineAt"] = args.deadline
    if args.label:
        fields["labels"] = args.label
    return Wish(issue=fields, campaign=args.campaign)


def _wanted(args: Any) -> Wanted:
    return Wanted(
        args.name,
        "issue",
        args.rule,
        {},
        args.timezone,
        args.misfire,
        args.max_lateness,
        args.overlap,
        args.jitter,
        args.check,
        args.once,
        _until(args.until),
    )


def _until(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as problem:
        raise errors.BadContent(f"--until {text}: {problem}", hint="2026-12-31T23:59:59Z") from problem


def list_all(call: Call) -> None:
    """List the schedules of a project."""
    project = call.harness.project(call.args.project)

    items = call.harness.read(app.listing, project, removed=call.args.all)
    rows = [
        (
            item["name"],
            item["state"],
            item["target"],
            item["rule"],
            item["timezone"],
            instant(item["fires_at"]) if item["state"] == "active" else "",
            _last(item["last"]),
        )
        for item in items
    ]
    columns = ("NAME", "STATE", "TARGET", "RULE", "ZONE", "NEXT", "LAST")
    call.out.table({"items": items, "cursor": None}, columns, rows, f"{project['key']} has no schedule")


def _last(firing: dict[str, Any] | None) -> str:
    if firing is None:
        return ""
    made = firing["identifier"] or firing["run_id"] or firing["reason"]
    return f"{instant(firing['nominal_at'])} {firing['outcome']} {made}".rstrip()


def show(call: Call) -> None:
    """Show a schedule and its firings."""
    project = call.harness.project(call.args.project)
    before = number_cursor(call.args.cursor) or None
    document = call.harness.read(app.show, project, call.args.name, call.args.limit, before)
    head = f"{document['name']} ({document['id']}), {document['state']}: {document['target']}, {document['rule']}"
    facts = f"  zone {document['timezone']}, misfire {document['misfire']}, overlap {document['overlap']}"
    lines = [head, facts]
    if document["check"]:
        lines.append(f"  check: {document['check']}")
    if document["state"] == "active":
        lines.append(f"  next {instant(document['fires_at'])}")
    lines += [f"  {_last(firing)}" for firing in document["firings"]]
    call.out.show(document, "\n".join(lines))


def upcoming(call: Call) -> None:
    """Show when schedules fire next."""
    project = call.harness.project(call.args.project)
    items = call.harness.read(app.upcoming, project, call.args.name, call.args.count)
    rows = [(item["name"], instant(item["nominal_at"]), item["local"], instant(item["fires_at"])) for item in items]
    columns = ("NAME", "NOMINAL", "LOCAL", "FIRES")
    call.out.table({"items": items, "cursor": None}, columns, rows, "nothing is scheduled")


def run(call: Call) -> int:
    """Fire a schedule now."""
    args = call.args
    project = call.harness.project(args.project)
    made = app.run(call.harness, project, args.name, dry_run=args.dry_run)
    issue = None if made.outcome.issue_id is None or args.dry_run else _identifier(call, made.outcome.issue_id)
    document = {
        "schedule": args.name,
        "nominal_at": made.nominal,
        "outcome": "fired" if made.outcome.fired else "skipped",
        "reason": made.outcome.reason,
        "issue": issue,
        "dry_run": args.dry_run,
    }
    would = "would have " if args.dry_run else ""
    text = f"{args.name} {would}fired" + (f": {issue}" if issue else "")
    call.out.show(document, text if made.outcome.fired else f"{args.name} did not fire: {made.outcome.reason}")
    return 0 if made.outcome.fired else NOT_NOW


def _identifier(call: Call, issue_id: str) -> str:
    row = call.harness.read(lambda tx: tx.one("issue_by_id", id=issue_id))
    assert row is not None
    return str(row["identifier"])


def evaluate(call: Call) -> None:
    """Fire what is due, once."""

    def tell(event: str, **facts: object) -> None:
        told = " ".join(f"{name}={value}" for name, value in facts.items())
        call.out.note(f"{event} {told}")

    if call.args.dry_run:
        items = app.would_fire(call.harness, call.args.project, tell)
        rows = [(item["schedule"], len(item["fire"]), len(item["skip"])) for item in items]
        call.out.table({"items": items, "cursor": None}, ("SCHEDULE", "FIRES", "SKIPS"), rows, "nothing is due")
        return
    document = app.evaluate(call.harness, call.args.project, tell)
    lines = [f"{counted(document['inserted'], 'firing')}, {document['skipped']} skipped"]
    lines += [f"  {one['schedule']}: {one['identifier'] or one['run_id']}" for one in document["insertedIssues"]]
    lines += [f"  {one['schedule']} skipped: {one['reason']}" for one in document["skippedJobs"]]
    call.out.show(document, "\n".join(lines))


def pause(call: Call) -> None:
    """Let a schedule rest."""
    _move(call, schedules.pause, "paused")


def resume(call: Call) -> None:
    """Let it go on."""
    _move(call, schedules.resume, "resumed")


def remove(call: Call) -> None:
    """Take it out of use."""
    _move(call, schedules.remove, "removed")


def _move(call: Call, command: Any, word: str) -> None:
    """Run a command of the kernel on one schedule. Any: it takes a transaction, a project, a name and a cause."""
    args = call.args
    project = call.harness.project(args.project)
    row = app.write(call.harness, args.dry_run, command, project, args.name, call.harness.cause)
    document = {**_document(row, project["key"]), "state": schedules.state_of(row), "dry_run": args.dry_run}
    more = f": next {instant(row['fires_at'])}" if word == "resumed" and row["fires_at"] else ""
    would = "would be " if args.dry_run else "is "
    call.out.show(document, f"{document['name']} {would}{word}{more}")
