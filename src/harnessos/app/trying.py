"""`harness quickstart`: a project made from nothing, its plan applied, its agents run, and a table of what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harnessos.app import planning, registering, supervising
from harnessos.app.harness import Harness, harness
from harnessos.app.supervising import Serve, Tell
from harnessos.quickstart import PROJECT_KEY, Quickstart, free_folder, make_project
from harnessos.services.supervisor import Ending, Options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harnessos.store.transaction import Row, Transaction

MOST = 100


class Tried(NamedTuple):
    """What the quickstart made and how it ended; `rows` are issue, task, attempts, turns, verdict, commit, seconds."""

    made: Quickstart
    home: Path
    rows: list[Row]
    ending: Ending


def prepare(folder: Path | None, environ: Mapping[str, str]) -> tuple[Quickstart, Harness]:
    """Make the project in a new folder, with a ledger and a home of its own beside it, and apply its plan."""
    made = make_project(folder or free_folder(Path.cwd()))
    home = made.folder / "home"
    own = {name: value for name, value in environ.items() if not name.startswith("HARNESS_")}
    own["HARNESS_HOME"] = str(home)
    here = harness(None, own, made.repository, "quickstart")
    registering.register(here, registering.look(made.repository), PROJECT_KEY, "Quickstart")
    here.close()
    here = harness(None, own, made.repository, "quickstart")
    planning.apply_file(here, made.plan, PROJECT_KEY, None)
    return made, here


def run(made: Quickstart, here: Harness, tell: Tell) -> Tried:
    """Drive the plan to its end with four agents at a time."""
    ending = supervising.serve(here, Serve((PROJECT_KEY,)), Options(until_idle=True), tell)
    rows = here.read(_table, here.project(PROJECT_KEY)["id"])
    return Tried(made, here.settings.home, rows, ending)


def _table(tx: Transaction, project_id: str) -> list[Row]:
    return tx.all("run_table", project=project_id, most=MOST)
