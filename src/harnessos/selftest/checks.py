"""The checks of the self-test, each a function that raises Failed or returns a sentence with its figures."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from harnessos import errors
from harnessos.inspector import audit, health
from harnessos.kernel import ending, evidence, intents, runs
from harnessos.kernel.claims import Claimed
from harnessos.model.checkpoint import Progress
from harnessos.model.outcome import Ended, Outcome
from harnessos.model.process import Identity
from harnessos.processes import EndedBy, Finished
from harnessos.processes import run as run_process
from harnessos.selftest import work
from harnessos.selftest.place import Amounts, Place, worker
from harnessos.store import upkeep
from harnessos.store.opening import create_store, open_store, sqlite_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harnessos.store.transaction import Row, Store, Transaction

HEAD_START_MS = 1500
LONGEST = 120.0
MOST = 100_000


class Failed(Exception):  # a check's finding, not an error of the program
    """A guarantee does not hold here; the text says which and how."""


class Result(NamedTuple):
    """A check's name, whether it held, one sentence, and how long it took in seconds."""

    name: str
    ok: bool
    detail: str
    seconds: float


def run(place: Place, amounts: Amounts) -> Iterator[Result]:
    """Do every check; one that fails does not keep the next from running."""
    for name, check in CHECKS.items():
        begun = place.clock.monotonic()
        try:
            ok, detail = True, check(place, amounts)
        except (Failed, errors.HarnessError) as problem:
            ok, detail = False, str(problem)
        yield Result(name, ok, detail, place.clock.monotonic() - begun)


def _demand(held: bool, otherwise: str) -> None:  # reads like an assertion
    if not held:
        raise Failed(otherwise)


def _together(place: Place, lines: Sequence[Sequence[str]], timeouts: Sequence[float] = ()) -> list[Finished]:
    """Run worker processes at the same time and return how each ended."""

    def one(number: int) -> Finished:
        argv, environment = worker(*lines[number])
        timeout = timeouts[number] if timeouts else LONGEST
        return run_process(argv, cwd=place.folder, env=environment, timeout=timeout, output_limit=10_000_000)

    with ThreadPoolExecutor(len(lines)) as threads:
        return list(threads.map(one, range(len(lines))))


def _words(ended: Sequence[Finished]) -> list[str]:
    for each in ended:
        _demand(each.exit_code == 0, f"a worker failed: {each.errors.decode(errors='replace').strip()[-500:]}")
    return [line for each in ended for line in each.output.decode().splitlines()]


def opening(place: Place, amounts: Amounts) -> str:
    """Many processes make one ledger at once (P07)."""
    start = str(place.clock.now() + HEAD_START_MS)
    words = Counter(_words(_together(place, [["open", place.url, start]] * amounts.openers)))
    _demand(words == {"made": 1, "found": amounts.openers - 1}, f"{words['made']} processes made the one ledger")
    return f"{amounts.openers} processes opened a new ledger at once, one made it"


def racing(place: Place, amounts: Amounts) -> str:
    """Every issue is claimed exactly once (P02)."""
    create_store(place.url)
    store = open_store(place.url)
    project = work.found(store, "RACE")
    for _ in range(amounts.rounds):
        planned = work.add(store, project, amounts.issues)
        start = str(place.clock.now() + HEAD_START_MS)
        got = _words(_together(place, [["claim", place.url, project["id"], start]] * amounts.claimers))
        _demand(
            sorted(got) == sorted(planned), f"{len(got)} claims of {len(planned)} issues, {len(set(got))} different"
        )
    store.close()
    return f"{amounts.claimers} processes claimed {amounts.issues} issues {amounts.rounds} times, each exactly once"


def killing(place: Place, amounts: Amounts) -> str:
    """What was acknowledged before kill -9 is there (G1)."""
    create_store(place.url)
    store = open_store(place.url)
    project = work.found(store, "KILL")
    said: list[str] = []
    for first in range(0, amounts.kills, 4):
        times = [0.6 + 0.137 * ((first + n) % 7) for n in range(min(4, amounts.kills - first))]
        ended = _together(place, [["work", place.url, project["id"]]] * len(times), times)
        for each in ended:
            text = each.errors.decode(errors="replace").strip()
            _demand(each.ended_by is EndedBy.TIMEOUT, f"a worker failed before it was killed: {text[-500:]}")
            said += each.output.decode().splitlines()
    missing = [line for line in said if not store.read(_stands, *line.split())]
    store.close()
    _demand(not missing, f"{len(missing)} of {len(said)} acknowledged writes are missing: {missing[:3]}")
    _demand(bool(said), "the workers were killed before they wrote anything; this machine is too slow for the check")
    return f"kill -9 of {amounts.kills} working processes: all {len(said)} acknowledged writes are there"


def _stands(tx: Transaction, what: str, run_id: str) -> bool:
    run = tx.one("run_by_id", id=run_id)
    if run is None:
        return False
    found = {"claimed": True, "checkpoint": run["checkpoints"] == 1, "done": run["outcome"] == "success"}
    return bool(found[what])


class _Past:
    """A clock that stands an hour and a half behind the store's."""

    def __init__(self, place: Place) -> None:
        self._clock = place.clock

    def now(self) -> int:
        return self._clock.now() - 5_400_000

    def monotonic(self) -> float:
        return self._clock.monotonic()


def refusing(place: Place, amounts: Amounts) -> str:
    """A run whose lease moved on writes nothing (G2, P03)."""
    del amounts
    create_store(place.url)
    past, store = open_store(place.url, clock=_Past(place)), open_store(place.url)
    project = work.found(store, "STALE")
    work.add(store, project, 1)
    first = work.claim(past, project["id"], 1000)
    second = work.claim(store, project["id"])
    _demand(isinstance(first, Claimed), "the first claim got nothing")
    _demand(isinstance(second, Claimed), "the expired lease was not given to the next claim")
    assert isinstance(first, Claimed)
    before = store.read(_counted)
    attempts = _attempts(first)
    written = [name for name, attempt in attempts.items() if not _refused(store, attempt)]
    after = store.read(_counted)
    past.close()
    store.close()
    _demand(not written, f"the run that had lost its lease could still write: {', '.join(written)}")
    _demand(before == after, "a refused write left something behind")
    return f"all {len(attempts)} kinds of write of a run that lost its lease are refused"


def _counted(tx: Transaction) -> Row:
    row = tx.one("event_last")
    assert row is not None
    return row


def _refused(store: Store, attempt: Callable[[Transaction], object]) -> bool:
    try:
        store.write(attempt)
    except errors.LeaseLost:
        return True
    return False


def _attempts(got: Claimed) -> dict[str, Callable[[Transaction], object]]:
    lease, cause = got.lease, runs.cause_of(got.run, "selftest")
    file = {"kind": "report", "path": "p", "sha256": "0" * 64, "size": 1}
    return {
        "heartbeat": lambda tx: runs.heartbeat(tx, lease),
        "progress": lambda tx: runs.progress(tx, lease, 1),
        "checkpoint": lambda tx: runs.checkpoint(tx, lease, Progress("t", "s", "n", "{}"), cause),
        "worktree": lambda tx: runs.settle_worktree(tx, lease, "w", "b", "c"),
        "launch": lambda tx: runs.launch(tx, lease, Identity("m", "b", 1, 1), cause),
        "ask": lambda tx: runs.ask(tx, lease, "finished", work.COMMIT, cause),
        "verify": lambda tx: runs.start_verifying(tx, lease, work.COMMIT, "v", None, cause),
        "artifact": lambda tx: runs.save_artifact(tx, lease, cause, **file),
        "verdict": lambda tx: work.accepted(tx, lease, cause),
        "reject": lambda tx: evidence.reject(tx, lease, cause),
        "finish": lambda tx: ending.finish(tx, lease, Ended(Outcome.RELEASED), cause),
        "intent": lambda tx: intents.plan(tx, lease, "worktree", "w"),
    }


def restoring(place: Place, amounts: Amounts) -> str:
    """A backup, restored elsewhere, is the same ledger (P08)."""
    del amounts
    path = sqlite_path(place.url)
    if path is None:
        return "left out: a PostgreSQL server makes its own backups (pg_dump)"
    create_store(place.url)
    saved = place.folder / "saved.backup"
    upkeep.backup(place.url, saved)
    upkeep.restore(saved, place.other("restored"), keep=None)
    pair = open_store(place.url, write=False), open_store(place.other("restored"), write=False)
    saw, sees = ((store.read(audit.anchor, "").heads, store.read(_counted)["seq"]) for store in pair)
    problems = upkeep.problems(place.other("restored"))
    for store in pair:
        store.close()
    _demand(not problems, f"the restored ledger is damaged: {problems[:1]}")
    _demand(saw == sees, "the restored ledger is not the one that was saved")
    return f"a backup of {saw[1]} events, restored elsewhere, is the same ledger"


def verifying(place: Place, amounts: Amounts) -> str:
    """After all of this every hash chain is whole and every invariant holds (I21, I25)."""
    del amounts
    create_store(place.url)
    store = open_store(place.url)
    broken = [finding.text for finding in audit.verify_all(store)]
    checks = list(health.check(store, replay=True))
    wrong = [f"{check.name}: {check.says}" for check in checks if check.severity == health.ERROR and check.findings]
    events = store.read(_counted)["seq"]
    store.close()
    _demand(not broken, f"broken chains: {broken[:3]}")
    _demand(not wrong, f"broken rules: {wrong[:3]}")
    return f"{events} events in whole chains, {len(checks)} rules hold"


CHECKS: dict[str, Callable[[Place, Amounts], str]] = {
    "first open": opening,
    "claim race": racing,
    "kill -9": killing,
    "stale writers": refusing,
    "backup and restore": restoring,
    "chains and rules": verifying,
}
