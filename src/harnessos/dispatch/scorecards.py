"""A run's scorecards: kept as files beside its evidence, recorded as artifacts, read again by hash when they are judged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from harnessos import errors
from harnessos.files import atomic_write, private_folder, read_bounded
from harnessos.kernel import runs
from harnessos.model import scorecard
from harnessos.model.digest import sha256_hex
from harnessos.model.facts import Card

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harnessos.dispatch.ground import Ground
    from harnessos.store.transaction import Row, Transaction

FOLDER = "scorecards"
_MOST = 10_000


def keep(ground: Ground, run: Row, documents: Sequence[object]) -> list[str]:
    """Keep cards of a live run, all of them or none; return the ids of their artifacts.

    BadDocument lists what is wrong with them, evidence that there is not included. LeaseLost when the run is over.
    """
    known = ground.store.read(_known, run["issue_id"])
    problems = [problem for document in documents for problem in _problems(document, known)]
    if problems:
        raise errors.BadDocument(
            f"the scorecard cannot be taken: {'; '.join(problems[:5])}",
            hint="harness_artifacts save, or a run's gates, make evidence; cite its id",
            causes=problems,
        )
    return [_kept(ground, run, _text(document)) for document in documents]


def _problems(document: object, known: Sequence[str]) -> list[str]:
    size = len(_text(document))
    if size > scorecard.LARGEST:
        return [f"scorecard: it has {size:,} bytes, more than {scorecard.LARGEST:,}"]
    problems: list[str] = []
    card = scorecard.parse_scorecard(document, "scorecard", problems)
    missing = scorecard.unresolved(card, known) if card is not None else []
    return problems + [f"scorecard.scores: there is no evidence {name} of this issue" for name in missing]


def _text(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")


def _kept(ground: Ground, run: Row, text: bytes) -> str:
    digest = sha256_hex(text)
    folder = private_folder(ground.run_folder(run["id"]) / FOLDER)
    atomic_write(folder / f"{digest}.json", text, 0o600)
    facts = {"kind": scorecard.KIND, "path": f"{FOLDER}/{digest}.json", "sha256": digest, "size": len(text)}
    return ground.store.write(runs.save_artifact, runs.lease_of(run), runs.cause_of(run, "session.scorecard"), **facts)


def newest(ground: Ground, run: Row) -> Card | None:
    """Return the run's newest card, None where it has none; a later one takes the place of those before it."""
    rows = [row for row in ground.store.read(_artifacts, run["id"]) if row["kind"] == scorecard.KIND]
    if not rows:
        return None
    last = rows[-1]
    document, problem = _document(ground.run_folder(run["id"]) / last["path"], last["sha256"])
    if problem:
        return Card(last["id"], problem=problem)
    problems: list[str] = []
    card = scorecard.parse_scorecard(document, "scorecard", problems)
    if card is None:
        return Card(last["id"], problem="; ".join(problems[:3]))
    missing = scorecard.unresolved(card, ground.store.read(_known, run["issue_id"]))
    gone = f"there is no evidence {', '.join(missing[:3])}" if missing else ""
    return Card(card.id, card.average, card.needs(), gone)


def _document(path: Path, digest: str) -> tuple[Any, str]:  # Any: JSON
    """Return the card in a file; or that it is not the file which was kept."""
    try:
        text = read_bounded(path, scorecard.LARGEST)
        return (json.loads(text), "") if sha256_hex(text) == digest else (None, "its file is not the one that was kept")
    except (errors.HarnessError, ValueError, RecursionError) as problem:
        return None, str(problem)


def _known(tx: Transaction, issue_id: str) -> list[str]:
    """Return the ids of what a card may rest on: what gates said of the issue's runs, and the files these kept."""
    found: list[str] = []
    for run in tx.all("run_all_of", issue=issue_id, most=_MOST):
        found += [row["id"] for row in tx.all("evidence_of_run", run=run["id"], most=_MOST)]
        kept = tx.all("artifact_of_run", run=run["id"], most=_MOST)
        found += [row["id"] for row in kept if row["kind"] != scorecard.KIND]  # marks prove no marks
    return found


def _artifacts(tx: Transaction, run_id: str) -> list[Row]:
    return tx.all("artifact_of_run", run=run_id, most=_MOST)
