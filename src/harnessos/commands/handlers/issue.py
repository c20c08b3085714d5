"""`harness issue`, the commands that change one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnessos.app import operating
from harnessos.app.operating import Edit
from harnessos.app.sessions import issue_document
from harnessos.kernel import operations

if TYPE_CHECKING:
    from harnessos.commands.call import Call
    from harnessos.store.transaction import Row


def edit(call: Call) -> None:
    """Change texts, priority, dependencies."""
    args = call.args
    wanted = Edit(args.task, args.description, args.priority, args.size, args.add_dependency, args.drop_dependency)
    _show(call, operating.change(call.harness, operating.edit, args.issue, wanted, call.harness.cause))


def retry(call: Call) -> None:
    """Give fresh attempts."""
    _show(call, operating.change(call.harness, operations.retry, call.args.issue, call.harness.cause))


def cancel(call: Call) -> None:
    """Give it up."""
    reason = call.args.reason or f"cancelled by {call.harness.cause.actor}"
    _show(call, operating.change(call.harness, operations.cancel, call.args.issue, reason, call.harness.cause))


def reopen(call: Call) -> None:
    """Open it again."""
    args = call.args
    _show(call, operating.change(call.harness, operations.reopen, args.issue, args.reason, call.harness.cause))


def rollback(call: Call) -> None:
    """Begin it anew."""
    args = call.args
    reason = args.reason or "rolled back by a person"
    _show(call, operating.change(call.harness, operations.rollback, args.issue, reason, call.harness.cause))


def approve(call: Call) -> None:
    """Decide an approval."""
    args = call.args
    decide = operating.approve_milestone if args.milestone else operating.approve
    _show(call, decide(call.harness, args.issue, args.name, args.state, args.note))


def _show(call: Call, issue: Row) -> None:
    document = {**issue_document(issue), "blocked_reason": issue["blocked_reason"]}
    why = f" ({issue['blocked_reason']})" if issue["blocked_reason"] else ""
    call.out.show(document, f"{issue['identifier']} is {issue['status']}{why}")
