"""The command table: the one source for dispatch, help, completion and the reference page.

A new command is one line here and a function `handler(call: Call) -> int | None` in its module.
"""

from __future__ import annotations

from harnessos.commands.arguments import (
    BREAKER,
    CAMPAIGN,
    CAMPAIGN_NAME,
    CLOSE,
    CURSOR,
    DRY_RUN,
    FILE,
    FORCE,
    ISSUE,
    KEY,
    LIMIT,
    NOTE,
    PROJECT,
    PROJECT_KEY,
    REASON,
    RUN,
    SCORECARD,
    SERVES,
    SESSION,
    WANT,
    Command,
    arg,
    flag,
    many,
)

TYPE_CHECKING = False  # importing `typing` for it would take longer than the help
if TYPE_CHECKING:
    from collections.abc import Callable

    from harnessos.commands.call import Call

    Handler = Callable[[Call], int | None]

TABLE: tuple[Command, ...] = (
    Command(
        "init",
        "init:init",
        "register a repository or folder, and create or upgrade its ledger",
        (
            arg("path", metavar="PATH", nargs="?", default=".", help="the repository or folder; here by default"),
            KEY,
            arg("--name", metavar="NAME", help="a name for people; the folder's by default"),
            flag("--workflow", "write a first WORKFLOW.md, unless there is one"),
            FORCE,
            DRY_RUN,
        ),
    ),
    Command("where", "where:where", "print which ledger and project are meant here, and why"),
    Command("next", "next:show", "say what to do next in a project, with the command to give", (PROJECT, *SERVES)),
    Command(
        "why",
        "why:show",
        "say why an issue, a run or a project is where it is, and what changes it",
        (
            arg("subject", metavar="SUBJECT", nargs="?", help="DOCS-42, run-..., or DOCS; else this folder's project"),
            *SERVES,
        ),
    ),
    Command("status", "status:show", "show how a project stands", (PROJECT, LIMIT, CURSOR)),
    Command(
        "report",
        "report:show",
        "show what came of the last hours: done, waiting, failed, spent, kept",
        (
            PROJECT,
            arg("--since", metavar="TIME", default="12h", help="how far back: 90m, 12h, 2d; 12h by default"),
            LIMIT,
            CURSOR,
        ),
    ),
    Command(
        "audit",
        "audit:show",
        "show all that happened to an issue or project, or check that nobody changed its history",
        (
            arg("subject", metavar="ID", nargs="?", help="an issue, a project's key, or any id"),
            flag("--verify", "check the hash chain, without an ID every one; exit 1 when something was changed"),
            LIMIT,
            CURSOR,
        ),
    ),
    Command("audit anchor", "audit:anchor", "print the head of every chain, to be kept outside the ledger", (CURSOR,)),
    Command("export", "export:show", "print a page of a project as one JSON document", (PROJECT, LIMIT, CURSOR)),
    Command(
        "doctor",
        "doctor:show",
        "check the ledger's invariants and this machine; exit 1 on any finding",
        (flag("--replay", "also fold every issue's events and compare"),),
    ),
    Command("plan check", "plan:check", "read a plan and list every problem in it; writes nothing", (FILE,)),
    Command(
        "plan apply",
        "plan:apply",
        "write a plan into the ledger, all of it or nothing; the same plan again changes nothing",
        (FILE, PROJECT, CAMPAIGN),
    ),
    Command("plan promote", "promote:promote", "recompute what is ready; normally changes nothing", (PROJECT,)),
    Command("plan schema", "plan:schema", "print the JSON Schema of a plan"),
    Command("project list", "project:list_all", "list the projects of the ledger"),
    Command("project show", "project:show", "show a project and where it lies", (PROJECT_KEY,)),
    Command("project trust", "project:trust", "let a project's workflow and gates run commands here", (PROJECT_KEY,)),
    Command("project distrust", "project:distrust", "take that back", (PROJECT_KEY,)),
    Command("campaign list", "campaign:list_all", "list the campaigns of a project", (PROJECT,)),
    Command(
        "campaign create",
        "campaign:create",
        "create a campaign",
        (CAMPAIGN_NAME, PROJECT, arg("--objective", metavar="TEXT", default="", help="what it is for")),
    ),
    Command(
        "campaign pause", "campaign:pause", "claim nothing more from it; live runs may finish", (CAMPAIGN_NAME, PROJECT)
    ),
    Command("campaign drain", "campaign:pause", "the same as pause, under its other name", (CAMPAIGN_NAME, PROJECT)),
    Command("campaign resume", "campaign:resume", "claim from it again", (CAMPAIGN_NAME, PROJECT)),
    Command("campaign archive", "campaign:archive", "close it for good", (CAMPAIGN_NAME, PROJECT)),
    Command("session begin", "session:begin", "take an issue and get a token, a lease and a briefing", WANT),
    Command(
        "session begin-recovery",
        "session:begin_recovery",
        "take an issue whose last run was lost, with what that run left",
        WANT,
    ),
    Command(
        "session checkpoint",
        "heartbeat:checkpoint",
        "record progress, so that the next attempt need not start again; renews the lease",
        (
            SESSION,
            arg("--title", metavar="TEXT", required=True, help="a line"),
            arg("--summary", metavar="TEXT", required=True, help="what was done and found out"),
            arg("--next-step", metavar="TEXT", required=True, help="what comes next"),
            many("--plan", "STEP", "a step; `[x] ` in front of what is done"),
            many("--file", "PATH: WHY", "a changed file and why"),
            many("--failed", "TEXT", "an approach that did not work"),
            many("--command", "COMMAND -> RESULT", "a command that was run"),
            many("--decision", "TEXT", "a decision"),
            many("--artifact", "PATH", "a file worth keeping"),
            SCORECARD,
        ),
    ),
    Command("session heartbeat", "heartbeat:heartbeat", "renew the lease", (SESSION,)),
    Command(
        "session show",
        "session:show",
        "show the session and its issue",
        (SESSION, flag("--wait", "wait until a verification that is under way has its verdict")),
    ),
    Command("session close", "session:close", "end the session; finished work is verified by the harness", CLOSE),
    Command("session advance", "session:advance", "close, then take the next issue", (*CLOSE, *WANT[2:])),
    Command(
        "issue list",
        "issue_read:list_all",
        "list the issues of a project",
        (
            PROJECT,
            arg("--status", metavar="STATUS", help="only those in this status"),
            arg("--milestone", metavar="KEY", help="only those of this milestone, by status"),
            arg("--label", metavar="LABEL", help="only those with this label"),
            LIMIT,
            CURSOR,
        ),
    ),
    Command("issue show", "issue_read:show", "show everything about an issue", (ISSUE,)),
    Command(
        "issue edit",
        "issue:edit",
        "change an issue that nobody works at",
        (
            ISSUE,
            arg("--task", metavar="TEXT", help="the task in a line"),
            arg("--description", metavar="TEXT", help="the task in full"),
            arg("--priority", choices=("critical", "high", "medium", "low"), help="its place in the claim order"),
            arg("--size", choices=("S", "M", "L", "XL"), help="how much work it is"),
            many("--add-dependency", "ISSUE", "an issue to wait for"),
            many("--drop-dependency", "ISSUE", "an issue to wait for no longer"),
        ),
    ),
    Command("issue retry", "issue:retry", "give a failed or blocked issue fresh attempts", (ISSUE,)),
    Command("issue cancel", "issue:cancel", "give an issue up; a live run of it is stopped", (ISSUE, REASON)),
    Command("issue reopen", "issue:reopen", "open a done or cancelled issue again", (ISSUE, REASON)),
    Command("issue rollback", "issue:rollback", "stop an issue's live run and open it again", (ISSUE, REASON)),
    Command(
        "issue approve",
        "issue:approve",
        "decide an approval, or accept the judged commit of a blocked issue",
        (
            ISSUE,
            arg("--name", metavar="NAME", help="the approval's name; else the judged commit, or all open approvals"),
            arg("--state", choices=("approved", "rejected", "waived"), default="approved", help="the decision"),
            flag("--milestone", "decide what the issue's milestone asks for, and so for all its issues"),
            NOTE,
        ),
    ),
    Command(
        "up",
        "up:up",
        "serve projects: start agents on what is ready, verify what they finish, recover what a crash left",
        (
            arg("workflow", metavar="WORKFLOW.md", nargs="?", help="another workflow file than the project's own"),
            many("--project", "KEY", "serve this project; else the cwd's, else all that lie on this machine"),
            flag("--missions", "serve the missions of this machine that have a runner as well"),
            flag("--until-idle", "end when nothing runs, nothing can start, and no timer falls due within --max-wait"),
            flag("--once", "end when what this look started has ended"),
            arg(
                "--max-agents",
                metavar="N",
                type=int,
                help="how many agents may work at once; the workflow's by default",
            ),
            arg(
                "--max-wait",
                metavar="TIME",
                default="10m",
                help="how long --until-idle waits for a timer; 10m by default",
            ),
            arg("--logs-root", metavar="DIR", help="also keep what is told in DIR/harness.log, rotated at 10 MB"),
            DRY_RUN,
        ),
    ),
    Command(
        "quickstart",
        "quickstart:quickstart",
        "watch four scripted agents work a small plan, from nothing to verified commits",
        (arg("folder", metavar="FOLDER", nargs="?", help="a new folder; ./harness-quickstart by default"),),
    ),
    Command(
        "selftest",
        "selftest:selftest_here",
        "prove the core guarantees on this machine, in a ledger made for it: races, kill -9, fencing, backup",
        (flag("--chaos", "the full amounts: 32 processes, 40 kills (about two minutes)"),),
    ),
    Command("skill list", "skill:list_all", "list the skills that can be installed into agents"),
    Command(
        "skill install",
        "skill:install",
        "write a skill into a folder of an agent's skills, whole or not at all",
        (
            arg("name", metavar="NAME", help="the skill, as `harness skill list` shows it"),
            arg("--to", metavar="DIR", required=True, help="the folder of skills; a folder NAME is made in it"),
            flag("--force", "replace a skill that was edited there; a copy of it is kept under HARNESS_HOME"),
            DRY_RUN,
        ),
    ),
    Command(
        "run list",
        "run_read:list_all",
        "list runs, newest first",
        (
            PROJECT,
            arg("--issue", metavar="ISSUE", help="only those of this issue"),
            flag("--live", "only those that live"),
            LIMIT,
            CURSOR,
        ),
    ),
    Command("run show", "run_read:show", "show everything about a run", (RUN,)),
    Command(
        "run log",
        "run_read:log",
        "print what a run's agent and gates wrote",
        (RUN, arg("--follow", "-f", action="store_true", help="go on until the run has ended")),
    ),
    Command("run stop", "run:stop", "ask a live run to stop", (arg("run", metavar="RUN", help="the run's id"), REASON)),
    Command("budget show", "budget:show", "show what today's budget of a project or mission has left", (PROJECT_KEY,)),
    Command(
        "budget set",
        "budget:set_cap",
        "change a cap, for today and the days to come",
        (
            arg("project", metavar="KEY", help="the project, or a mission such as MSN-1"),
            arg("dimension", choices=("runs", "wall_ms", "usd"), help="runs, agent-hours or dollars a day"),
            arg("amount", metavar="AMOUNT", help="a number, or the word `unlimited`"),
        ),
    ),
    Command("breaker list", "breaker:list_all", "list the open breakers", (LIMIT,)),
    Command("breaker reset", "breaker:reset", "close the breaker of an issue, or lift a provider's hold", (BREAKER,)),
    Command("attention list", "attention:list_all", "list what waits for a person", (PROJECT, LIMIT, CURSOR)),
    Command(
        "attention resolve",
        "attention:resolve",
        "say that an entry is settled",
        (arg("entry", metavar="ENTRY", help="the entry's id"),),
    ),
    Command("worktree list", "worktree:list_all", "list the harness's worktrees of a project", (PROJECT,)),
    Command(
        "worktree checkout",
        "worktree:checkout",
        "make a clean checkout of an issue's accepted commit",
        (
            ISSUE,
            arg("into", metavar="FOLDER", nargs="?", help="a folder that does not exist yet; else under HARNESS_HOME"),
        ),
    ),
    Command(
        "worktree gc",
        "worktree:gc",
        "remove worktrees that are accepted or salvaged, oldest first",
        (
            PROJECT,
            arg("--cap-gb", metavar="N", type=float, default=20.0, help="until they fit; 20 by default"),
            DRY_RUN,
        ),
    ),
    Command(
        "worktree salvage list", "worktree:list_salvaged", "list work kept from runs that did not finish", (PROJECT,)
    ),
    Command(
        "worktree salvage restore",
        "worktree:restore_salvaged",
        "make a worktree as a run left it",
        (
            arg("run", metavar="RUN", help="the run's id"),
            arg("into", metavar="FOLDER", help="a folder that does not exist yet"),
            PROJECT,
        ),
    ),
)


def everything() -> tuple[Command, ...]:
    """Return every command there is."""
    from harnessos.commands.table_agents import AGENTS
    from harnessos.commands.table_db import DATABASE
    from harnessos.commands.table_memory import MEMORY
    from harnessos.commands.table_missions import MISSIONS
    from harnessos.commands.table_schedules import SCHEDULES

    return (*TABLE, *MISSIONS, *AGENTS, *MEMORY, *SCHEDULES, *DATABASE)


def _of_noun(noun: str) -> tuple[Command, ...]:
    """Return the table a command of this noun stands in: nouns of many or hot commands have one of their own."""
    if noun == "memory":
        from harnessos.commands.table_memory import MEMORY

        return MEMORY
    if noun == "mission":
        from harnessos.commands.table_agents import AGENTS
        from harnessos.commands.table_missions import MISSIONS

        return (*MISSIONS, *AGENTS)
    if noun == "schedule":
        from harnessos.commands.table_schedules import SCHEDULES

        return SCHEDULES
    if noun == "db":
        from harnessos.commands.table_db import DATABASE

        return DATABASE
    return TABLE


def find(words: list[str]) -> tuple[Command | None, list[str]]:
    """Return the command with the longest name that `words` begin with, and the words after it."""
    return longest(_of_noun(words[0]) if words else (), words)


def longest(table: tuple[Command, ...], words: list[str]) -> tuple[Command | None, list[str]]:
    """Return the command of a table with the longest name that `words` begin with, and the words after it."""
    for count in (3, 2, 1):
        name = " ".join(words[:count])
        for command in table if len(words) >= count else ():
            if command.words == name:
                return command, words[count:]
    return None, words


def handler(command: Command) -> Handler:
    """Return what a command calls: its module is imported here, and no other command's."""
    from importlib import import_module

    module, _, function = command.handler.partition(":")
    place = module if "." in module else f"harnessos.commands.handlers.{module}"
    found: Handler = getattr(import_module(place), function)
    return found
