"""The documents of a workspace as they are on disk now: what they say, what is wrong with them, and their hashes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from harnessos.errors import BadDocument, HarnessError, NotAFile
from harnessos.files import contained, read_bounded
from harnessos.mission.documents import lint, starter
from harnessos.mission.documents.contract import parse_contract
from harnessos.mission.documents.criteria import parse_criteria
from harnessos.mission.documents.cron_config import parse_cron_config
from harnessos.mission.documents.placeholders import unfilled
from harnessos.mission.documents.playbook import parse_playbook
from harnessos.mission.documents.problems import Problem
from harnessos.mission.publishing import Documents
from harnessos.mission.workspace import DOCUMENTS
from harnessos.model.digest import sha256_hex

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harnessos.mission.documents.contract import Contract
    from harnessos.mission.documents.criteria import Criteria
    from harnessos.mission.documents.cron_config import CronConfig
    from harnessos.mission.documents.playbook import Playbook
    from harnessos.mission.documents.problems import Parsed

LIMIT = 1 << 20


class Loaded(NamedTuple):
    """The documents. A value is None where it could not be understood; `problems` keep the mission from running.

    `hashes` are those of the documents that are there, by name.
    """

    contract: Contract | None
    criteria: Criteria | None
    playbook: Playbook | None
    cron: CronConfig | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    hashes: dict[str, str]

    @property
    def steps(self) -> tuple[str, ...]:
        """The numbers of the playbook's steps, in order."""
        return tuple(step.number for step in self.playbook.steps) if self.playbook else ()

    @property
    def shown(self) -> Documents:
        """What of the documents the rendered ones show."""
        if self.contract is None:
            return Documents(self.steps)
        conditions = [(each.id, each.condition, each.mandatory) for each in self.contract.conditions]
        return Documents(self.steps, conditions)


def load(workspace: Path) -> Loaded:
    """Read the four documents. Never fails for what is in them: that is a problem with file and line."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    hashes: dict[str, str] = {}
    texts = {name: _text(workspace, name, problems, hashes) for name in DOCUMENTS}
    values: dict[str, object] = dict.fromkeys(DOCUMENTS)
    for name, text in texts.items():
        if text is None:
            continue
        slots = unfilled(name, text, starter.template(name))
        if slots and slots[0].line == 1 and text == starter.template(name):
            problems.append(slots[0])
            continue
        problems.extend(slots)
        try:
            parsed = _PARSERS[name](text)
        except BadDocument as problem:
            problems.append(Problem(name, 1, str(problem)))
            continue
        values[name] = parsed.value
        # A slot that is still to be filled is the reason for whatever else is wrong in its line.
        told = {(each.file, each.line) for each in slots}
        problems.extend(each for each in parsed.problems if (each.file, each.line) not in told)
        warnings.extend(parsed.warnings)
    contract, criteria, playbook, cron = (values[name] for name in DOCUMENTS)
    loaded = Loaded(contract, criteria, playbook, cron, tuple(problems), tuple(warnings), hashes)  # type: ignore[arg-type]  # each by its own parser
    return loaded._replace(warnings=(*loaded.warnings, *_linted(loaded)))


def _linted(loaded: Loaded) -> tuple[Problem, ...]:
    if loaded.contract is None or loaded.playbook is None or loaded.criteria is None:
        return ()
    return lint.lint(loaded.contract, loaded.playbook, loaded.criteria)


_PARSERS: dict[str, Callable[[str], Parsed[Any]]] = {
    "mission.md": parse_contract,
    "eval_criteria.md": parse_criteria,
    "playbook.md": parse_playbook,
    "cron_config.md": parse_cron_config,
}


"""Any: each by its own parser."""


def _text(workspace: Path, name: str, problems: list[Problem], hashes: dict[str, str]) -> str | None:
    path = workspace / name
    try:
        contained(workspace, path)
        data = read_bounded(path, LIMIT)
        hashes[name] = sha256_hex(data)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        problems.append(Problem(name, data[: problem.start].count(b"\n") + 1, "it is no UTF-8 text"))
        return None
    except NotAFile as problem:
        missing = not os.path.lexists(path)
        problems.append(Problem(name, 1, f"it is missing from {workspace}" if missing else str(problem)))
        return None
    except HarnessError as problem:
        problems.append(Problem(name, 1, str(problem)))
        return None
    return text
