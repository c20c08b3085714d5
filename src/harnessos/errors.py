"""Every error a person or an agent can meet, as one tree. The docstring is the default message.

HarnessError                    1
    BadUsage                    2   the call's words are wrong
        NotAFile                2
    BadContent                  65  a document, identifier or move is refused
        BadPlan, BadWorkflow, BadDocument
        UnknownIdentifier
        IllegalMove
        OperatorOnly
        Refused
        NotARepository, NoCommits, NotTrusted, MergeConflict, SkillDrifted
    StoreUnavailable            69  the ledger cannot be used
        StoreMissing, StoreTooOld, StoreTooNew, StoreForeign, StoreCorrupt, StoreReadOnly, StoreFileSystem, StoreFull
    TryAgain                    75  nothing is wrong with the request; now is the wrong moment
        LeaseLost, AlreadyClaimed, Busy, NothingReady
    ToolProblem                 1   something outside the ledger failed
        GitMissing, GitFailed, WorktreeProblem, GateProblem, RunnerProblem, DiskLow
    MissionStopped                  the mission does not run now
        MissionComplete         10
        MissionBlocked          11
        NotReady                12
        AlreadyRunning          13

Only these hide the traceback: anything else that reaches the command line is a bug and shows itself.
"""

from __future__ import annotations

from typing import ClassVar


class HarnessError(Exception):
    """Something failed.

    `code` is stable and for machines, `exit_code` is the process's, `hint` says what to type next,
    `facts` are named values a caller may act on (identifiers, paths, causes).
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str | None = None, *, hint: str | None = None, **facts: object) -> None:
        self.message = message or (type(self).__doc__ or "").strip().split("\n")[0]
        self.hint = self.default_hint if hint is None else hint
        self.facts = facts
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message

    def as_dict(self) -> dict[str, object]:
        """Return the shape every frontend shows: code, message, hint and the facts."""
        return {"code": self.code, "message": self.message, "hint": self.hint, **self.facts}


class BadUsage(HarnessError):
    """The command was called with arguments it does not take."""

    code = "bad_usage"
    exit_code = 2


class NotAFile(BadUsage):
    """An argument is no readable regular file."""

    code = "not_a_file"


class BadContent(HarnessError):
    """The request was understood and refused for what it contains."""

    code = "bad_content"
    exit_code = 65


class BadDocument(BadContent):
    """A document does not have the shape it must have."""

    code = "bad_document"


class BadPlan(BadDocument):
    """The plan is not valid, nothing was written."""

    code = "bad_plan"
    default_hint = "mend the places named above, then `harness plan check FILE`"


class BadWorkflow(BadDocument):
    """WORKFLOW.md is not valid."""

    code = "bad_workflow"


class UnknownIdentifier(BadContent):
    """Nothing in this ledger has that name."""

    code = "unknown_identifier"
    default_hint = "`harness where` shows which ledger this is, `harness issue list` what it holds"


class IllegalMove(BadContent):
    """The state machine does not have this move."""

    code = "illegal_move"


class OperatorOnly(BadContent):
    """Only a person may do this."""

    code = "operator_only"


class Refused(BadContent):
    """The request would break a rule of the ledger."""

    code = "refused"


class NotARepository(BadContent):
    """The path is not a git repository."""

    code = "not_a_repository"


class NoCommits(BadContent):
    """The repository has no commit yet."""

    code = "no_commits"
    default_hint = 'make a first one: `git add -A && git commit -m "start"`'


class NotTrusted(BadContent):
    """This project is not trusted by this user on this machine."""

    code = "not_trusted"
    default_hint = "look at WORKFLOW.md and the plan's gates, then `harness project trust KEY`"


class MergeConflict(BadContent):
    """The accepted commits this issue builds on do not merge."""

    code = "merge_conflict"


class SkillDrifted(BadContent):
    """An installed skill was edited, and is kept as it is."""

    code = "skill_drifted"
    default_hint = "move the edits elsewhere, or add --force: a copy of them is kept then"


class StoreUnavailable(HarnessError):
    """The ledger cannot be used."""

    code = "store_unavailable"
    exit_code = 69
    default_hint = "`harness where` shows which ledger is meant and why"


class StoreMissing(StoreUnavailable):
    """There is no ledger at that place."""

    code = "store_missing"
    default_hint = "`harness init --key KEY` creates one; `harness where` shows which place is meant and why"


class StoreTooOld(StoreUnavailable):
    """The ledger's schema is older than this program."""

    code = "store_too_old"
    default_hint = "`harness db upgrade` upgrades it in place, after a backup"


class StoreTooNew(StoreUnavailable):
    """The ledger's schema is newer than this program."""

    code = "store_too_new"
    default_hint = "upgrade this program: `pip install --upgrade harnessos`"


class StoreForeign(StoreUnavailable):
    """The file is not a ledger of HarnessOS."""

    code = "store_foreign"


class StoreCorrupt(StoreUnavailable):
    """The ledger's file is damaged."""

    code = "store_corrupt"


class StoreReadOnly(StoreUnavailable):
    """The ledger cannot be written."""

    code = "store_read_only"


class StoreFileSystem(StoreUnavailable):
    """The ledger lies on a file system that SQLite cannot share safely."""

    code = "store_file_system"
    default_hint = "keep it on a local disk, or use PostgreSQL: --store postgresql://..."


class StoreFull(StoreUnavailable):
    """The disk of the ledger is full, nothing was written."""

    code = "store_full"
    default_hint = "free some space; `harness worktree gc --dry-run` shows what can go"


class TryAgain(HarnessError):
    """Not now."""

    code = "try_again"
    exit_code = 75


class LeaseLost(TryAgain):
    """This run no longer holds its issue, nothing was written."""

    code = "lease_lost"
    default_hint = "stop working on it and `harness session begin` again"


class AlreadyClaimed(TryAgain):
    """Another run holds this issue."""

    code = "already_claimed"
    default_hint = "`harness session begin` without --issue takes the next free one"


class Busy(TryAgain):
    """The ledger stayed locked by others for too long, nothing was written."""

    code = "busy"
    default_hint = "try again; `harness doctor` shows who holds it"


class NothingReady(TryAgain):
    """No issue is ready for this caller."""

    code = "nothing_ready"
    default_hint = "`harness next` says what would help"


class ToolProblem(HarnessError):
    """Something outside the ledger failed."""

    code = "tool_problem"


class GitMissing(ToolProblem):
    """git is not installed, or not on PATH."""

    code = "git_missing"
    default_hint = "install git (Debian: `apt-get install git`)"


class GitFailed(ToolProblem):
    """A git command failed."""

    code = "git_failed"


class WorktreeProblem(ToolProblem):
    """A worktree cannot be made, used or removed."""

    code = "worktree_problem"


class GateProblem(ToolProblem):
    """A gate could not run, which says nothing about the work."""

    code = "gate_problem"


class RunnerProblem(ToolProblem):
    """The agent could not be started."""

    code = "runner_problem"


class DiskLow(ToolProblem):
    """Too little disk is left, for a new worktree or a file."""

    code = "disk_low"
    default_hint = "`harness worktree gc` removes what is accepted or salvaged"


class MissionStopped(HarnessError):
    """The mission does not run now."""

    code = "mission_stopped"


class MissionComplete(MissionStopped):
    """The mission is complete: there is nothing left to run."""

    code = "mission_complete"
    exit_code = 10


class MissionBlocked(MissionStopped):
    """The mission is blocked or its circuit breaker has tripped; a person lifts that."""

    code = "mission_blocked"
    exit_code = 11


class NotReady(MissionStopped):
    """The workspace is not ready to run."""

    code = "not_ready"
    exit_code = 12


class AlreadyRunning(MissionStopped):
    """The mission is running already."""

    code = "already_running"
    exit_code = 13
