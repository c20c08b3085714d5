"""`harness report`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harnessos import errors
from harnessos.inspector import report, views
from harnessos.inspector.views import counted, span

if TYPE_CHECKING:
    from harnessos.commands.call import Call
    from harnessos.inspector.report import Report

_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def show(call: Call) -> None:
    """Show what came of the last hours."""
    length = length_ms(call.args.since)
    project = call.harness.project(call.args.project)
    since = max(0, call.harness.clock.now() - length)
    seen = call.harness.read(report.query, project, since, call.args.cursor, call.args.limit)
    call.out.show(views.document(seen), _text(seen))


def length_ms(text: str) -> int:
    """Return a length of time such as 90m, 12h or 2d, in ms."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text.strip())
    if found is None:
        raise errors.BadUsage(f"{text!r} is no length of time", hint="a number with s, m, h or d: 12h, 90m, 2d")
    return int(found[1]) * _UNITS[found[2]]


def _text(seen: Report) -> str:
    lines = [f"{seen.project}, the last {span(seen.until - seen.since)}"]
    lines.append(f"done: {len(seen.done)}")
    lines += [
        f"  {done.identifier}  {done.verdict}  {(done.commit or '')[:12]}  {done.branch or ''}  {done.task}"
        for done in seen.done
    ]
    lines.append(f"waiting for a person: {len(seen.blocked)}")
    for waiting in seen.blocked:
        lines += [f"  {waiting.question}", f"    {waiting.command}"]
    lines.append(f"failed: {len(seen.failed)}")
    lines += [f"  {failed.identifier}  {failed.task}: {failed.reason}" for failed in seen.failed]
    if seen.salvaged:
        lines.append(f"kept from unfinished runs: {len(seen.salvaged)}")
        lines += [f"  {kept.identifier}  {kept.ref}" for kept in seen.salvaged]
    spend = seen.spend
    money = f", {spend.usd / 1_000_000:.2f} USD" if spend.usd else ""
    unmetered = f", {spend.unmetered} unmetered" if spend.unmetered else ""
    lines.append(f"spent: {counted(spend.runs, 'run')}, {span(spend.wall_ms)} of work{money}{unmetered}")
    if seen.cursor:
        lines.append(f"more: --cursor {seen.cursor}")
    return "\n".join(lines)
