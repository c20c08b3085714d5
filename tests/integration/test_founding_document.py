"""The 34 command lines of harness-24h's founding document, in its order, against an installed skill."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.commands import Terminal, run_words
from tests.support.mission_documents import FILLED

RESULT = """## Result: task_abc123
**Status**: success
**Output**:
Product title: Example Product
Price: $29.99
Stock: In stock
"""
SCRAPE = "Scrape product page: https://example.com/product"
ARTICLES = "Articles from source X often missing 'author' field. Use 'Unknown' as default and log warning."
LIMITS = "GitHub API returns 403 after 5000 requests/hour. Wait 60s and retry with exponential backoff."


class Literal:
    """Types the lines; `said` keeps what each printed, by its number."""

    def __init__(self, folder: Path) -> None:
        self.terminal = Terminal(folder / "home", folder)
        assert self.terminal("skill", "install", "harness-24h", "--to", str(folder / "skills")).code == 0
        self.scripts = folder / "skills" / "harness-24h" / "scripts"
        self.place = folder / "workspace"
        self.codes: list[int] = []
        self.said: list[str] = []

    def script(self, name: str, *words: str) -> None:
        self.shell([sys.executable, str(self.scripts / f"harness_{name}.py"), str(self.place), *words])

    def shell(self, words: list[str], stdin: str = "") -> None:
        done = run_words(words, self.terminal.environment(), stdin)
        self.codes.append(done.code)
        self.said.append(done.out + done.err)


def test_the_34_lines_in_order_behave_as_agreed(tmp_path: Path) -> None:
    do = Literal(tmp_path)
    do.script("boot", "--init")
    for name, text in FILLED.items():
        (do.place / name).write_text(text)
    for folder in ("output", "knowledge", "logs"):
        do.shell(["mkdir", "-p", str(do.place / folder)])
    do.script("boot")
    do.script("setup_cron")
    do.script("dream")
    do.script("boot")
    do.script("heartbeat", "start")
    do.script("memory", "topics")
    do.script("memory", "search", "--query", "timeout")
    do.script("memory", "stream", "--step", "Step 2.3", "--event", "Fetched 50 articles from API, took 12s")
    do.script("memory", "stream", "--step", "Step 3.1", "--event", "Rate limit hit, waiting 60s", "--level", "WARN")
    missing = "Validation failed: missing required field 'author'"
    do.script("memory", "stream", "--step", "Step 4", "--event", missing, "--level", "ERROR")
    do.script("memory", "learn", "--topic", "api_rate_limits", "--insight", LIMITS)
    do.script("memory", "learn", "--topic", "data_validation", "--insight", ARTICLES)
    do.script("heartbeat", "done", "--step", "Step 4", "--summary", "Processed 50 articles, 3 validation warnings")
    do.script("heartbeat", "fail", "--step", "Step 3", "--error", "API timeout after 3 retries")
    do.script("eval")
    do.script("cleanup")
    do.script("heartbeat", "mission_complete")
    do.script("dream")
    do.script("dream", "--dry-run")
    do.script("dream", "--skip-playbook")
    do.script("coordinator", "init", "--agents", "3")
    for number in (123, 456, 789):
        do.script("coordinator", "dispatch", "--task", f"{SCRAPE}/{number}", "--step", "Step 2.1")
    worker = do.place / "agents" / "worker-1"
    do.shell(["ls", str(worker / "inbox")])
    do.shell(["cat", str(worker / "inbox" / "task_abc123.md")])
    do.shell(["sh", "-c", f"cat > '{worker}/outbox/result_abc123.md'"], stdin=RESULT)
    do.script("coordinator", "status")
    do.script("coordinator", "collect")
    do.script("coordinator", "cleanup")

    assert len(do.codes) == 34
    unusual = {number: code for number, code in enumerate(do.codes, 1) if code}
    assert unusual == {19: 1, 21: 65, 30: 1}, "\n".join(do.said)
    assert "Workspace is ready" in do.said[4]
    assert "Workspace is ready" in do.said[7]
    assert "harness_dream.py" in do.said[5]
    assert "collect-lines-dream" in do.said[5]
    assert "task_" in do.said[28]
    assert "Standard 1" in do.said[20]
    assert "abc123" in do.said[32]
    tasks = list((do.place / "logs" / "agent_archive").rglob("*abc123*"))
    assert tasks, "the result is in the archive"


def test_the_founding_documents_own_examples_land_where_it_says(tmp_path: Path) -> None:
    """B-15: with the index as it was after a dream, the second topic's row went into Active Alerts."""
    do = Literal(tmp_path)
    do.script("boot", "--init")
    for name, text in FILLED.items():
        (do.place / name).write_text(text)
    do.script("boot")
    do.script("memory", "learn", "--topic", "api_rate_limits", "--insight", LIMITS)
    do.script("dream")
    do.script("memory", "learn", "--topic", "data_validation", "--insight", ARTICLES)
    text = (do.place / "heartbeat.md").read_text()
    index = text[text.index("## Knowledge Index") : text.index("## Active Alerts")]
    assert "`knowledge/api_rate_limits.md`" in index
    assert "`knowledge/data_validation.md`" in index
