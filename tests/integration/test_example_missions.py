"""The missions of `examples/missions`, each with its scripted agent through scheduled runs on a clock that the test moves."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harnessos import processes
from harnessos.dispatch import watching
from harnessos.kernel import missions
from tests.support.clocked import FiledClock, tool
from tests.support.example_missions import AGENTS, EXAMPLES, Example, failing, isolated
from tests.support.python import ROOT
from tests.support.repositories import commit_files, make_repository

NAMES = ("hourly-collection", "repository-health", "document-digest", "nightly-data-check")
HOUR = 3_600_000


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often."""
    monkeypatch.setattr(watching, "LOOK_S", 0.1)


def copied(tmp_path: Path, name: str) -> Path:
    """Copy the data that come with an example, so that a test may change them."""
    origin = EXAMPLES / name
    target = tmp_path / origin.name
    return Path(shutil.copytree(origin, target) if origin.is_dir() else shutil.copy(origin, target))


def is_in_order(example: Example, results: list[str]) -> None:
    """What holds after scheduled runs of any example: all judged by real checks in boxes, and nothing left."""
    runs = example.runs()
    assert [(run["trigger"], run["result"]) for run in runs] == [("firing", result) for result in results]
    assert all(isolated(run) for run in runs)
    assert all(run["lines"] > 0 for run in runs)
    assert example.left_running() == []
    progress = example.text("progress.md")
    assert f"| Total Executions | `{len(results)}` |" in progress
    assert f"| Success Count | `{results.count('passed')}` |" in progress
    stream = example.text("logs/execution_stream.log")
    steps = {run["step"] for run in runs}
    assert len(steps) == 1
    assert stream.count(f"[{steps.pop()}] done: ".replace("[Step ", "[Step: ")) == len(
        results
    )  # what the agent said, once
    report = json.loads(example.harness("mission", "report", str(example.place), "--since", "7d", "--json").out)
    assert len(report["achieved"]) == results.count("passed")
    assert report["silent"] == []


def test_hourly_collection_collects_each_item_once_and_reports(tmp_path: Path) -> None:
    incoming = copied(tmp_path, "hourly-collection/incoming")
    example = Example(tmp_path, "hourly-collection", incoming)
    start = example.clock.now()

    first = example.scheduled_run()
    assert (example.clock.now() - start, first["nominal_at"]) == (HOUR, start + HOUR)
    assert "- Items: 4\n" in example.text("output/report.md")
    assert "05-cut-off.json: no JSON" in example.text("output/report.md")

    (incoming / "05-cut-off.json").write_text('{"id": "n-105", "title": "Mended", "category": "culture"}')
    (incoming / "06-again.json").write_text('{"id": "n-101", "title": "Twice", "category": "traffic"}')
    second = example.scheduled_run()
    assert "- Items: 5\n" in example.text("output/report.md")
    assert failing(second) == []

    third = example.scheduled_run()
    assert "- New in this run: 0\n" in example.text("output/report.md")
    assert failing(third) == ["C5"]  # nothing new: optional, so the run passed
    assert example.clock.now() - start == 3 * HOUR

    is_in_order(example, ["passed"] * 3)
    assert example.mission()["status"] == "completed"
    assert "incoming_files" in example.text("heartbeat.md")
    totals = [json.loads(line)["total"] for line in example.text("output/history.jsonl").splitlines()]
    assert totals == [4, 5, 5]


def test_repository_health_says_what_changed_and_writes_nothing_there(tmp_path: Path) -> None:
    tested = {"src/parser.py": "def parse(): ...\n", "tests/test_parser.py": "import parser\n"}
    repository = make_repository(tmp_path / "watched", tested)
    example = Example(tmp_path, "repository-health", repository)

    assert failing(example.scheduled_run()) == []
    commit_files(repository, {"src/render.py": "# TODO: escape\n# FIXME later\n"})
    before = {path: path.read_bytes() for path in (repository / ".git").rglob("*") if path.is_file()}
    second = example.scheduled_run()
    health = json.loads(example.text("output/health.json"))
    assert (health["open_todos"], health["untested"]) == (2, ["src/render.py"])
    assert "- `src/render.py:1` escape\n" in example.text("output/health.md")
    assert failing(second) == ["C5"]
    assert "2 TODOs more than last time" in example.text("logs/execution_stream.log")
    assert {path: path.read_bytes() for path in (repository / ".git").rglob("*") if path.is_file()} == before

    commit_files(repository, {"src/render.py": "def render(): ...\n", "tests/test_render.py": "import render\n"})
    assert failing(example.scheduled_run()) == []
    assert "- Open TODOs: 0\n" in example.text("output/health.md")
    is_in_order(example, ["passed"] * 3)


def test_document_digest_gives_out_a_task_a_worker_and_completes_itself(tmp_path: Path) -> None:
    documents = copied(tmp_path, "document-digest/documents")
    example = Example(tmp_path, "document-digest", documents)
    for done in (3, 6, 7):
        assert example.mission()["status"] != "mission_complete"
        run = example.scheduled_run()
        assert f"\n{done} of 7 documents.\n" in example.text("output/digest.md")
        finished = {
            json.loads((example.place / f"agents/worker-{n}/manifest.json").read_text())["status"] for n in (1, 2, 3)
        }
        assert finished == {"idle"}
        assert json.loads(run["checks_json"])[-1]["passed"] is None  # completion is open until everything is asked for

    is_in_order(example, ["passed"] * 3)
    assert example.mission()["status"] == "mission_complete"
    assert "mission_complete" in example.text("heartbeat.md")
    assert example.harness("mission", "boot", str(example.place)).code == 10
    assert sorted(json.loads(example.text("output/digest.json"))) == sorted(path.name for path in documents.iterdir())
    tasks = list((example.place / "logs" / "agent_archive").glob("worker-?_task_*.md"))
    assert len(tasks) == 7

    assert example.next_firing() == "mission"
    assert [outcome for outcome, _ in example.firings()] == ["fired", "fired", "fired", "skipped"]
    assert "mission_complete" in example.firings()[-1][1]


def test_nightly_data_check_stops_at_bad_data_until_a_person_has_looked(tmp_path: Path) -> None:
    orders = copied(tmp_path, "nightly-data-check/orders.csv")
    good = orders.read_text()
    example = Example(tmp_path, "nightly-data-check", orders)

    assert failing(example.scheduled_run()) == []
    orders.write_text(good + "o-1003,2026-01-05,FR,0,19.90\n")
    bad = example.scheduled_run()
    assert failing(bad) == ["C4"]
    found = json.loads(example.text("output/findings.json"))
    assert found["counts"] == {"schema": 0, "range": 1, "duplicate": 1}
    assert example.mission()["breaker"] == "tripped"
    assert "| Circuit Breaker | `tripped` |" in example.text("heartbeat.md")
    assert "2 findings, the first: row 7" in example.text("progress.md")
    assert "[ERROR] [Step: 3] eval failed: C4\n" in example.text("logs/execution_stream.log")
    assert example.harness("mission", "boot", str(example.place)).code == 11

    orders.write_text(good)
    assert example.next_firing() == "dream"
    assert example.next_firing() == "mission"  # nothing runs before a person has looked
    assert "tripped" in example.firings()[-1][1]
    assert len(example.runs()) == 2

    assert example.harness("mission", "resume", str(example.place)).code == 0
    assert failing(example.scheduled_run()) == []
    is_in_order(example, ["passed", "failed", "passed"])
    assert [outcome for outcome, _ in example.firings()] == ["fired", "fired", "skipped", "fired"]
    assert example.mission()["breaker"] == "off"


def _lose_an_item(output: Path) -> None:
    (output / "items.jsonl").write_text("".join(_lines(output / "items.jsonl")[1:]))


def _collect_twice(output: Path) -> None:
    (output / "items.jsonl").write_text("".join([*_lines(output / "items.jsonl"), _lines(output / "items.jsonl")[0]]))


def _report_another_number(output: Path) -> None:
    (output / "report.md").write_text((output / "report.md").read_text().replace("- Items: 4", "- Items: 40"))


def _report_of_last_week(output: Path) -> None:
    os.utime(output / "report.md", (1_767_000_000, 1_767_000_000))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


def _replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def replace(output: Path) -> None:
        text = (output / name).read_text()
        assert old in text
        (output / name).write_text(text.replace(old, new))

    return replace


LIES: dict[str, list[tuple[Callable[[Path], None], str]]] = {
    "hourly-collection": [
        (_collect_twice, "C1"),
        (_lose_an_item, "C2"),
        (_report_of_last_week, "C3"),
        (_report_another_number, "C4"),
    ],
    "repository-health": [
        (_replaced("health.json", '"open_todos": 0', '"open_todos": "none"'), "C1"),
        (_replaced("health.md", "- Last commit:", "Last commit:"), "C2 #3"),
        (_replaced("health.json", '"open_todos": 0', '"open_todos": 5'), "C3"),
    ],
    "document-digest": [
        (_replaced("digest.json", '"title": "Bees on the roof"', '"title": ""'), "C1"),
        (_replaced("digest.md", "3 of 7", "7 of 7"), "C2"),
    ],
    "nightly-data-check": [
        (_replaced("findings.json", '"rows": 5', '"rows": -1'), "C1"),
        (_replaced("snapshot.csv", "229.00", "229.01"), "C2"),
        (_replaced("snapshot.csv", "o-1002", "o-1001"), "C3"),
    ],
}


@pytest.mark.parametrize("name", NAMES)
def test_the_checks_of_an_example_catch_what_is_wrong(name: str, tmp_path: Path) -> None:
    """Each lie is told alone about a run that passed, and the check that is meant for it fails."""
    example = Example(tmp_path, name, _source(tmp_path, name))
    assert example.scheduled_run()["result"] == "passed"
    output = example.place / "output"
    shutil.copytree(output, tmp_path / "kept")
    for lie, check in LIES[name]:
        lie(output)
        said = example.harness("mission", "eval", str(example.place), "--json")
        failed = [one["name"] for one in json.loads(said.out)["checks"] if one["mandatory"] and one["passed"] is False]
        assert (said.code, check in failed) == (1, True), (check, failed)
        shutil.rmtree(output)
        shutil.copytree(tmp_path / "kept", output)
    assert example.harness("mission", "eval", str(example.place)).code == 0


def _source(tmp_path: Path, name: str) -> Path:
    if name == "repository-health":
        return make_repository(tmp_path / "watched", {"README": "nothing to do\n"})
    data = {"hourly-collection": "incoming", "document-digest": "documents", "nightly-data-check": "orders.csv"}
    return copied(tmp_path, f"{name}/{data[name]}")


def test_without_its_source_a_mission_says_that_it_needs_a_person(tmp_path: Path) -> None:
    example = Example(tmp_path, "hourly-collection", tmp_path / "nowhere")
    run = example.scheduled_run()
    assert (run["claim"], example.mission()["failures"]) == ("fail", 1)
    (example.place / "source.txt").unlink()
    with example.at() as at:
        document = json.loads(at.row()["runner_json"])
        document["command"] = [word for word in document["command"] if word != "--source"][:2]
        at.harness.write(missions.configure, at.mission_id, at.cause, runner_json=json.dumps(document))
    run = example.scheduled_run()
    assert (run["claim"], example.mission()["status"]) == ("blocked", "blocked")
    assert "source.txt is missing" in example.text("heartbeat.md")
    assert example.left_running() == []


def test_a_dream_that_is_late_costs_no_run(tmp_path: Path) -> None:
    """A machine that was off at night has both to do in the morning: one waits for the other."""
    example = Example(tmp_path, "repository-health", _source(tmp_path, "repository-health"))
    example.clock.advance(23 * HOUR)
    example.up()
    assert (len(example.runs()), len(example.runs("dream"))) == (0, 1)
    example.up()
    assert [run["trigger"] for run in example.runs()] == ["firing"]
    assert example.firings() == [("fired", "")]


def test_a_mission_that_runs_every_hour_dreams_too(tmp_path: Path) -> None:
    """Its run and its dream are due at the same second, every night."""
    example = Example(tmp_path, "hourly-collection", _source(tmp_path, "hourly-collection"))
    example.clock.advance(17 * HOUR)
    example.up()
    assert (len(example.runs()), len(example.runs("dream"))) == (1, 0)
    example.clock.advance(HOUR)
    example.up()
    example.up()
    assert (len(example.runs()), len(example.runs("dream"))) == (2, 1)
    assert {outcome for outcome, _ in example.firings()[-2:]} == {"fired"}


@pytest.mark.parametrize("name", NAMES)
def test_the_documents_of_an_example_have_no_warning(name: str, tmp_path: Path) -> None:
    example = Example(tmp_path, name, tmp_path)
    assert example.harness("mission", "lint", str(example.place), "--strict").code == 0
    assert example.harness("mission", "boot", str(example.place)).code == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_of_a_readme_work(name: str, tmp_path: Path) -> None:
    """All but `harness up`, which stays until it is stopped."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (EXAMPLES / name / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    commands = blocks[0].replace("harness up --missions\n", "")
    done = _typed(f"set -e\n{commands}", tmp_path)
    assert (done.exit_code, b"first run: Success" in done.output) == (0, True), done.output
    if name == "nightly-data-check":
        wanted = [line.partition("#")[2] for line in blocks[1].splitlines()]
        codes = "".join(f"{line}\necho code $?\n" for line in blocks[1].splitlines())
        said = _typed(codes, tmp_path).output.decode()
        assert re.findall(r"^code (\d+)$", said, re.MULTILINE) == [
            code[1] if (code := re.search(r"exit (\d+)", comment)) else "0" for comment in wanted
        ]


def _typed(commands: str, tmp_path: Path) -> processes.Finished:
    """Type commands in the repository's folder, with a home of one's own."""
    if not (tmp_path / "tools").exists():
        tool(tmp_path / "tools", FiledClock(tmp_path / "clock"), ROOT)
    (tmp_path / "user").mkdir(exist_ok=True)
    path = f"{tmp_path / 'tools'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": str(tmp_path / "user"), "PYTHONDONTWRITEBYTECODE": "1"}
    return processes.run(["sh", "-c", commands], cwd=ROOT, env=env, timeout=100, merge=True)


@pytest.mark.parametrize("path", sorted(AGENTS.glob("*.py")), ids=lambda path: path.stem)
def test_a_scripted_agent_needs_the_standard_library_only_and_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        imported |= {name.split(".")[0] for name in names}
    assert imported - set(sys.stdlib_module_names) <= {"scripted"}
    assert "script" in (ast.get_docstring(tree) or "")
