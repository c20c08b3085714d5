"""`harness worktree`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.app import operating, trees

if TYPE_CHECKING:
    from harnessos.commands.call import Call


def list_all(call: Call) -> None:
    """List the harness's worktrees."""
    found = trees.listed(call.harness, trees.place(call.harness, call.args.project))
    rows = [(tree.identifier, tree.state, tree.listed.branch, tree.listed.path) for tree in found]
    items = [tree.document() for tree in found]
    call.out.table({"items": items, "cursor": None}, ("ISSUE", "STATE", "BRANCH", "FOLDER"), rows, "no worktree")


def checkout(call: Call) -> None:
    """Check an accepted commit out."""
    folder, commit = trees.check_out(call.harness, call.args.issue, call.args.into)
    call.out.show({"path": str(folder), "commit": commit}, f"{commit[:12]} is checked out in {folder}")


def gc(call: Call) -> None:
    """Remove what is accepted or salvaged."""
    if not call.args.dry_run:
        operating.require_operator(call.harness, "remove worktrees", "harness worktree gc")
    here = trees.place(call.harness, call.args.project)
    done = trees.collect(call.harness, here, call.args.cap_gb, dry_run=call.args.dry_run)
    verb = "would go" if call.args.dry_run else "removed"
    items = [
        {
            "run": plan.entry.run,
            "path": str(plan.entry.path),
            "size": plan.entry.size,
            "reason": plan.reason,
            "removed": gone,
        }
        for plan, gone in done
    ]
    rows = [(plan.entry.path, verb if gone or call.args.dry_run else "in use", plan.reason) for plan, gone in done]
    call.out.table({"items": items, "cursor": None}, ("FOLDER", "STATE", "WHY"), rows, "nothing to remove")


def list_salvaged(call: Call) -> None:
    """List kept work."""
    items = trees.salvaged(trees.place(call.harness, call.args.project))
    rows = [(item["run"], item["commits"], item["staged"] + item["unstaged"], item["untracked"]) for item in items]
    columns = ("RUN", "COMMITS", "CHANGED", "UNTRACKED")
    call.out.table({"items": items, "cursor": None}, columns, rows, "nothing is kept")


def restore_salvaged(call: Call) -> None:
    """Make a worktree as a run left it."""
    here = trees.place(call.harness, call.args.project)
    folder, commit = trees.restore(here, call.args.run, call.args.into)
    call.out.show({"path": str(folder), "commit": commit}, f"{call.args.run} is restored in {folder}")
