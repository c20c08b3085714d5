"""What a command takes, as values; `parser` turns the ones of the chosen command into argparse's.

Plain classes, and no `typing`: importing that takes longer than printing the help of the whole program.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Argument:
    """One argument. `options` are those of argparse's add_argument. Any: they are of many types by design there."""

    __slots__ = ("names", "options")

    def __init__(self, names: tuple[str, ...], options: dict[str, Any]) -> None:
        self.names = names
        self.options = options


class Command:
    """A command of the table.

    `words` is what one types after `harness`; `handler` is `module:function` in `harnessos.commands.handlers` (or, with dots in it, anywhere), called with
    the Call (commands.call) and returning an exit code, None for 0. --store and --json are added to every command.
    """

    __slots__ = ("arguments", "handler", "help", "words")

    # `help` is argparse's own word for it.
    def __init__(self, words: str, handler: str, help: str, arguments: tuple[Argument, ...] = ()) -> None:  # noqa: A002
        self.words = words
        self.handler = handler
        self.help = help
        self.arguments = arguments


def arg(*names: str, **options: Any) -> Argument:
    """Return an argument; see argparse's add_argument. Any: as there."""
    return Argument(names, options)


def flag(name: str, text: str) -> Argument:
    """Return an option that is there or not."""
    return Argument((name,), {"action": "store_true", "help": text})


def many(name: str, metavar: str, text: str) -> Argument:
    """Return an option that may be given several times; a list, empty by default."""
    return Argument((name,), {"action": "append", "default": [], "metavar": metavar, "help": text})


STORE = arg("--store", metavar="URL", help="the ledger: sqlite:///PATH or postgresql://HOST/DATABASE")
JSON = flag("--json", "print JSON; instants are milliseconds since the epoch, UTC")
EVERYWHERE = (STORE, JSON)

PROJECT = arg("--project", metavar="KEY", help="the project; else the one this folder is registered for")
PROJECT_KEY = arg("project", metavar="KEY", nargs="?", help="the project; else the one this folder is registered for")
CAMPAIGN = arg("--campaign", metavar="NAME", help="the campaign; else the plan's own, else `default`")
FILE = arg("file", metavar="FILE", help="a YAML, JSON or TOML document")
ISSUE = arg("issue", metavar="ISSUE", help="an identifier, such as DOCS-42")
BREAKER = arg("issue", metavar="ISSUE|provider:NAME", help="as `harness breaker list` shows it")
REASON = arg("--reason", metavar="TEXT", default="", help="why; it is recorded")
NOTE = arg("--note", metavar="TEXT", default="", help="a sentence that is recorded")
SESSION = arg(
    "--session", metavar="TOKEN", help="the session's token, `-` for standard input; else HARNESS_SESSION_TOKEN"
)
WORKSPACE = arg("workspace", metavar="WS", help="the workspace folder of the mission, or its identifier such as MSN-1")
RUN_SESSION = arg(
    "--session", metavar="TOKEN", help="the run's token; else HARNESS_SESSION_TOKEN, else the workspace's own"
)
DRY_RUN = flag("--dry-run", "say what would happen, and change nothing")
FORCE = flag("--force", "do it although runs are live")


def row_count(word: str) -> int:
    """Return the number of rows that is wanted. ValueError when it is none."""
    if not word.isascii() or not word.isdigit() or int(word) < 1:
        raise ValueError(f"{word!r} is no number of rows: at least 1")
    return int(word)


LIMIT = arg("--limit", metavar="N", type=row_count, default=50, help="at most so many rows")
CURSOR = arg("--cursor", metavar="CURSOR", default="", help="go on after the row where the last page ended")

CAMPAIGN_NAME = arg("name", metavar="NAME", help="the campaign's name")
KEY = arg("--key", metavar="KEY", required=True, help="1 to 16 letters and digits, in front of every issue number")
RUN = arg("run", metavar="RUN", help="the run's id")
SERVES = (
    many("--workload-class", "CLASS", "serve this workload class; none named serves all"),
    many("--capability", "NAME", "a capability this host has"),
)
WANT = (
    PROJECT,
    arg("--issue", metavar="ISSUE", help="this issue; else the first in the claim order"),
    arg("--agent", metavar="NAME", help="who works; a name for people, not a right"),
    arg("--ttl", metavar="SECONDS", type=int, help="how long the lease lasts without a call; 3600 by default"),
    flag("--worktree", "let the harness make a git worktree of its own for the work"),
    arg("--host", metavar="NAME", default="", help="the program the agent runs in, recorded with the run"),
    *SERVES,
    flag("--fail-if-empty", "exit 75 when nothing is ready"),
)
SCORECARD = many("--scorecard", "FILE", "a scorecard as JSON; the newest one counts")
CLOSE = (
    SESSION,
    arg("--outcome", required=True, choices=("finished", "failed", "released"), help="how the work ended"),
    arg("--commit", metavar="SHA", help="the commit to judge; HEAD of the checkout by default"),
    REASON,
    flag("--task-fault", "with failed: the task itself is at fault, not the agent"),
    SCORECARD,
)
