"""`harness mission cleanup` and `dream`: keeping the memory of a mission small and useful."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.app.missions import runners
from harnessos.app.missions.opening import At
from harnessos.app.missions.verbs import renew
from harnessos.mission import dreaming, tidying
from harnessos.mission.agent import Runner
from harnessos.mission.dream.plan import Options

if TYPE_CHECKING:
    from harnessos.commands.call import Call

_HOUR_MS = 3_600_000
_MB = 1024 * 1024


def cleanup(call: Call) -> int:
    """Archive what is old; the integrity check decides the exit code."""
    args = call.args
    with At(call.harness, args.workspace) as at:
        renew(at, args.session)
        limits = tidying.Limits(args.max_runs, int(args.max_stream_mb * _MB))
        done = tidying.clean(at.site, limits, dry_run=args.dry_run)
        document = {
            "archived_runs": done.archived,
            "archive": done.archive or None,
            "rotated": done.rotated or None,
            "findings": [f"{one.file}: {one.text}" for one in done.findings],
            "dry_run": args.dry_run,
        }
        would = "would be " if args.dry_run else ""
        lines = [f"{done.archived} runs {would}archived" + (f" to {done.archive}" if done.archive else "")]
        lines += [f"stream {would}rotated to {done.rotated}"] if done.rotated else []
        lines += [f"wrong: {one.file}: {one.text}" for one in done.findings] or ["the memory is consistent"]
        call.out.show(document, "\n".join(lines))
        return 1 if done.findings else 0


def dream(call: Call) -> None:
    """Consolidate the memory, show what that would change, or take a dream back."""
    args = call.args
    with At(call.harness, args.workspace) as at:
        options = Options(args.lookback_hours * _HOUR_MS, args.min_entries, args.skip_playbook)
        runner = Runner.of(runners.parse(args.agent)) if args.agent else None
        if args.undo is not None:
            done = dreaming.undo(at.site, args.undo or None)
            text = f"dream {done.dream_id} is undone: {len(done.restored)} files are as before"
            text += f"; changed since and kept: {', '.join(done.kept)}" if done.kept else ""
            call.out.show(done._asdict(), text)
        elif args.dry_run:
            found, diff = dreaming.preview(at.site, options, runner)
            call.out.show({**found.summary(), "diff": diff}, diff or found.skipped or "nothing would change")
        else:
            dreamt = dreaming.dream(at.site, options, runner)
            call.out.show({"dream": dreamt.dream_id, **dreamt.summary}, _told(dreamt))


def _told(dreamt: dreaming.Dreamt) -> str:
    summary = dreamt.summary
    if dreamt.dream_id is None:
        return f"no dream: {summary['skipped']}"
    return (
        f"dream {dreamt.dream_id}: {summary['records']} records, {summary['recurring']} recurring messages, "
        f"{summary['recoveries']} recoveries; {len(summary['files'])} files changed, {len(summary['merged'])} insights merged, "
        f"{len(summary['archived'])} archived, {len(summary['pruned'])} pointers pruned\n"
        "logs/dream_journal.md tells more; `harness mission dream WS --undo` takes it back"
    )
