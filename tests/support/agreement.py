"""What of a workspace's documents is torn, or is not as the ledger has it: every field, topic, run and line of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from harnessos.app.missions.opening import At
from harnessos.memory import records, shelf, stream
from harnessos.mission import keeping, publishing, remembering, rendering
from harnessos.mission.documents import reading
from harnessos.mission.pointers import pointers
from harnessos.model.digest import sha256_hex
from harnessos.model.instants import stamp
from harnessos.store.transaction import Row, Transaction

MOST_BYTES = 2_048
FIELDS = {
    "Task Name": "name",
    "Current Status": "status",
    "Total Executions": "runs",
    "Consecutive Failures": "failures",
    "Current Step": "step",
    "Circuit Breaker": "breaker",
}
"""What heartbeat.md must show whatever else there is to say, and the ledger's column of it."""
COUNTS = {"Total Executions": "runs", "Success Count": "successes", "Failure Count": "faults"}


def disagreements(at: At) -> list[str]:
    """Return a sentence for each thing that is not as it should be."""
    mission = at.row()
    return [*_heartbeat(at, mission), *_progress(at, mission), *_topics(at), *_lines(at.place), *_files(at.place)]


def _heartbeat(at: At, mission: Row) -> Iterator[str]:
    data = (at.place / "heartbeat.md").read_bytes()
    if not 0 < len(data) < MOST_BYTES:
        yield f"heartbeat.md has {len(data)} bytes"
    text = data.decode()
    for field, column in FIELDS.items():
        shown, wanted = rendering.field(text, field), rendering.cell(str(mission[column]), 90)
        if shown != wanted:
            yield f"heartbeat.md says {field} {shown!r}, the ledger {wanted!r}"
    shown, wanted = rendering.field(text, "Last Execution Time"), mission["last_run_at"]
    if shown != (stamp(wanted) if wanted else "-"):
        yield f"heartbeat.md says it ran last at {shown}, the ledger {wanted}"
    if text != rendering.heartbeat(_state(at)):
        yield "heartbeat.md is not as the ledger would render it"
    if json.loads(mission["rendered_json"])["heartbeat.md"][0] != sha256_hex(data):
        yield "heartbeat.md is not what the ledger remembers to have rendered last"


def _progress(at: At, mission: Row) -> Iterator[str]:
    text = (at.place / "progress.md").read_text(encoding="utf-8")
    generated = rendering.split(text)[1]
    for field, column in COUNTS.items():
        if rendering.field(generated, field) != str(mission[column]):
            yield f"progress.md says {field} {rendering.field(generated, field)}, the ledger {mission[column]}"
    for run in at.harness.read(_runs, at.mission_id):
        heading = f"### Run #{run['number']:03d} — {stamp(run['started_at'])}\n"
        if run["number"] > mission["archived"] and generated.count(heading) != 1:
            yield f"progress.md has run {run['number']} {generated.count(heading)} times"
    if generated != rendering.progress(_state(at)):
        yield "progress.md is not as the ledger would render it"


def _state(at: At) -> rendering.State:
    loaded = reading.load(at.place)
    rank = keeping.ranked(at.site, loaded, at.row()["step"])
    return at.harness.read(publishing.gather, at.mission_id, loaded.shown._replace(rank=rank))


def _runs(tx: Transaction, mission_id: str) -> list[Row]:
    return tx.all("mission_run_list", mission=mission_id, kind="run", before=1 << 40, most=10_000)


def _topics(at: At) -> Iterator[str]:
    known = pointers(at.site)
    for path in shelf.files(at.place):
        topic = shelf.read(path)
        assert topic is not None
        if topic.slug in known and known[topic.slug].entries != len(topic.entries):
            yield f"{path.name} has {len(topic.entries)} entries, the ledger says {known[topic.slug].entries}"
    for finding in remembering.check(at.site)[0]:
        yield f"{finding.file} {finding.text}"


def whole_stream(place: Path) -> bytes:
    """Return every record of a workspace's stream, rotated logs first."""
    logs = sorted((place / "logs" / "archive").glob("execution_stream_*"))
    rotated = [gzip.decompress(log.read_bytes()) if log.suffix == ".gz" else log.read_bytes() for log in logs]
    live = place / stream.LOG
    return b"".join([*rotated, live.read_bytes() if live.exists() else b""])


def _lines(place: Path) -> Iterator[str]:
    data = whole_stream(place)
    if data and not data.endswith(b"\n"):
        yield "the last line of the stream has no end"
    for line in data.split(b"\n")[:-1]:
        if records.parse(line) is None:
            yield f"the stream holds what is no record: {line[:80]!r}"


def _files(place: Path) -> Iterator[str]:
    for path in sorted(place.rglob("*")):
        if (place / "output") in path.parents:
            continue
        if path.suffix == ".json" and path.is_file():
            try:
                json.loads(path.read_bytes())
            except ValueError:
                yield f"{path.relative_to(place)} is torn"
        if path.suffix == ".md" and path.is_file() and not path.stat().st_size:
            yield f"{path.relative_to(place)} is empty"
