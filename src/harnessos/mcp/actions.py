"""What a tool is made of: its actions, each with the fields it takes and the command it fills.

Fields come from the command table, so that a flag has one name, one type and one sentence everywhere; an action may rename
some, leave some out, and add its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import ConfigDict, with_config
from pydantic import Field as Rule
from typing_extensions import TypedDict

from harnessos.commands import table
from harnessos.commands.arguments import row_count
from harnessos.commands.table_agents import worker_count
from harnessos.commands.table_memory import shown
from harnessos.commands.table_missions import above_zero

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harnessos.app.harness import Harness
    from harnessos.commands.arguments import Argument, Command
    from harnessos.mcp.asking import Hooks
    from harnessos.mcp.options import Options

LARGEST = 1_000_000_000
_COUNTS = {row_count: 1000, shown: 1000, above_zero: LARGEST - 1, worker_count: 100}
"""How the table reads numbers above zero, and the most each takes here."""
SERVES = ("workload_class", "capability")
_ABSENT = ("store", "json", "fail_if_empty", *SERVES)
"""Arguments of the command line that are the server's own, or have another shape here."""


class Field(NamedTuple):
    """One field of an action. `kind` is a Python type as pydantic reads it; `into` is the command's name for it."""

    name: str
    kind: Any  # a type, a Literal or an Annotated: pydantic's own language
    help: str
    required: bool = False
    into: str = ""

    @property
    def dest(self) -> str:
        """Return the name under which the command reads it."""
        return self.into or self.name


@dataclass(frozen=True, eq=False, slots=True)
class Action:
    """One action of a tool.

    `command` are the words of the command it fills, or `run` is what it calls instead. `rename` maps a command's names
    to this action's, `drop` leaves some out, `fixed` sets some, `adds` are fields of its own. `operator` are fields that
    only an operator's server takes; `writes`, `destructive` and `idempotent` are what hosts are told; `persons` are refused to agents. `needs` names what
    is missing for an action that is not there yet. `own_limit` is what its answer may have in bytes, None the usual.
    """

    name: str
    purpose: str
    command: str = ""
    run: Callable[[Asked], object] | None = None
    rename: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    fixed: Mapping[str, object] = field(default_factory=dict)
    adds: tuple[Field, ...] = ()
    operator: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    writes: bool = True
    destructive: bool = False
    idempotent: bool = False
    persons: bool = False
    needs: str = ""
    own_limit: int | None = None
    example: Mapping[str, object] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[Field, ...]:
        """Return what it takes, what is required first."""
        made = [_renamed(self, one) for one in fields_of(self.command) if one.name not in self.drop]
        return tuple(sorted((*made, *self.adds), key=lambda one: not one.required))

    @property
    def signature(self) -> str:
        """Return the action as one line: `begin(project?, issue?)`."""
        return f"{self.name}({', '.join(one.name + '?' * (not one.required) for one in self.fields)})"


class Tool(NamedTuple):
    """A noun with its actions."""

    name: str
    about: str
    actions: tuple[Action, ...]

    def action(self, name: str) -> Action | None:
        """Return an action by name."""
        return next((action for action in self.actions if action.name == name), None)


class Asked(NamedTuple):
    """A call that is allowed and whose arguments are right, as the functions behind it see it.

    `given` is without `action`, and without what was not given. `tools` and `options` are the server's; `renew` keeps a
    session alive from now on, and `wait_s` is how long an answer may take. `client` is the client's name for itself; `page`
    is how many rows a list is to have where the client does not say.
    """

    tool: Tool
    action: Action
    given: Mapping[str, Any]  # Any: JSON values of the types the action's fields have
    harness: Harness
    tools: Sequence[Tool]
    options: Options
    renew: Callable[[str], None]
    wait_s: float
    hooks: Hooks
    client: str = ""
    page: int | None = None


def command_of(words: str) -> Command:
    """Return a command of the table; it is there, a house test sees to that."""
    found, rest = table.find(words.split())
    assert found is not None, words
    assert not rest, words
    return found


def fields_of(words: str) -> list[Field]:
    """Return what a command of the table takes, as fields; none for no command."""
    if not words:
        return []
    arguments = command_of(words).arguments
    fields = [_field(argument) for argument in arguments if _name(argument) not in _ABSENT]
    names = [_name(argument) for argument in arguments]
    return [*fields, HOST_CAPABILITIES] if SERVES[0] in names else fields


def _renamed(action: Action, one: Field) -> Field:
    name = action.rename.get(one.name, one.name)
    return one._replace(name=name, into=one.dest, required=one.required or name in action.required)


def _name(argument: Argument) -> str:
    return argument.names[0].lstrip("-").replace("-", "_")


def _field(argument: Argument) -> Field:
    options = argument.options
    plain = not argument.names[0].startswith("-")
    required = bool(options.get("required")) or (plain and options.get("nargs") is None)
    return Field(_name(argument), _kind(argument), str(options["help"]), required)


def _kind(argument: Argument) -> Any:  # Any: pydantic's language of types
    options = argument.options
    if options.get("action") == "store_true":
        return bool
    if choices := options.get("choices"):
        return Literal[tuple(choices)]
    reads = options.get("type")
    if reads in _COUNTS:
        return Annotated[int, Rule(ge=1, le=_COUNTS[reads])]
    assert reads in (None, int, float), f"{argument.names[0]}: no type that JSON has"
    one: Any = Annotated[reads, Rule(ge=0, le=LARGEST)] if reads in (int, float) else str
    return Annotated[list[str], Rule(max_length=1000)] if options.get("action") == "append" else one


@with_config(ConfigDict(extra="forbid", strict=True))
class HostCapabilities(TypedDict, total=False):
    """What an agent's host serves; a list that is not given serves every class and no capability."""

    workloadClasses: list[str]
    capabilities: list[str]


HOST_CAPABILITIES = Field("host_capabilities", HostCapabilities, "what the agent's host serves; all work by default")
PROJECT = Field("project", str, "the project's key; else the one the server was started for")
