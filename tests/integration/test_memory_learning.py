"""Learning: what is refused, what is known already, what replaces what, and where it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harnessos.errors import HarnessError, Refused
from harnessos.memory import records, shelf, stream, topics
from harnessos.memory.learning import Learned, learn, write_split
from tests.support.python import run_python

NOON = 1_767_268_800_000
INSIGHT = "GitHub API returns 403 after 5000 requests/hour. Wait 60s and retry with exponential backoff."


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with a constitution."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "mission.md").write_text("# Mission\n", encoding="utf-8")
    return folder


def _learn(workspace: Path, topic: str, insight: str, number: int = 1, **more: object) -> Learned:
    given = {"entry_id": f"e_{number}", "now": NOON, "run": "run-1", "by": "agent", **more}
    return learn(workspace, topic, insight, **given)  # type: ignore[arg-type]  # as given


def _record(text: str) -> records.Record:
    record = records.parse(stream.line(NOON, "INFO", "1", text))
    assert record is not None
    return record


def test_an_insight_is_written_with_its_provenance(workspace: Path) -> None:
    learned = _learn(workspace, "api_rate_limits", INSIGHT)
    path = workspace / "knowledge/api_rate_limits.md"
    assert learned == Learned("api_rate_limits", "api_rate_limits", "e_1", True, None, (), None, path, (path,))
    assert shelf.read(path) == topics.Topic(
        "api_rate_limits",
        "api_rate_limits",
        path.read_text(encoding="utf-8"),
        (topics.Entry("e_1", NOON, "run-1", "agent", (), INSIGHT),),
    )


def test_an_exact_duplicate_adds_nothing_and_names_the_entry_that_is_there(workspace: Path) -> None:
    _learn(workspace, "api", INSIGHT)
    before = (workspace / "knowledge/api.md").read_bytes()
    again = _learn(workspace, "api", f"  {INSIGHT.upper()} ", 2)
    assert (again.entry_id, again.created, again.duplicate_of, again.written) == ("e_1", False, "e_1", ())
    assert (workspace / "knowledge/api.md").read_bytes() == before


def test_a_near_duplicate_supersedes_with_history(workspace: Path) -> None:
    _learn(workspace, "api", INSIGHT)
    _learn(workspace, "api", "Pages start at 1.", 2)
    newer = _learn(workspace, "api", INSIGHT.replace("60s", "90s"), 3)
    assert newer.superseded == ("e_1",)
    entries = topics.parse_topic("api", (workspace / "knowledge/api.md").read_text(encoding="utf-8")).entries
    assert [(one.id, one.supersedes) for one in entries] == [("e_1", ()), ("e_2", ()), ("e_3", ("e_1",))]


def test_two_titles_of_one_slug_share_a_topic_and_are_told(workspace: Path) -> None:
    assert _learn(workspace, "Rate-Limits", "first insight").shared_with is None
    assert _learn(workspace, "Rate-Limits", "something else", 2).shared_with is None
    other = _learn(workspace, "rate limits", "a third thing", 3)
    assert (other.slug, other.title, other.shared_with) == ("rate_limits", "Rate-Limits", "Rate-Limits")
    assert [path.name for path in (workspace / "knowledge").iterdir()] == ["rate_limits.md"]


def test_b22_a_topic_file_with_a_point_in_its_name_is_written_on(workspace: Path) -> None:
    (workspace / "knowledge").mkdir()
    (workspace / "knowledge/node.js.md").write_text("# node.js\nmine\n", encoding="utf-8")
    learned = _learn(workspace, "node.js", INSIGHT)
    assert (learned.slug, learned.path.name) == ("node_js", "node.js.md")
    assert learned.path.read_text(encoding="utf-8").startswith("# node.js\nmine\n\n## Entry e_1")


@pytest.mark.parametrize("topic", ["", "   ", "..", "|", "`", "\n", "README", "\0"])
def test_b22_a_name_without_a_slug_is_refused(workspace: Path, topic: str) -> None:
    with pytest.raises(Refused):
        _learn(workspace, topic, INSIGHT)
    assert [path.name for path in workspace.iterdir()] == ["mission.md"]


@pytest.mark.parametrize(
    "topic",
    [
        "../mission",
        "../../escaped",
        "/etc/x",
        "a/b",
        "a\nb",
        "a|b",
        "`a`",
        "x" * 300,
        "ö" * 300,
        "𠀀" * 300,
        "\udcffx",
        "\0x",
        "CON",
        "-rf",
    ],
)
def test_b16_no_name_leads_out_of_the_knowledge_folder(workspace: Path, topic: str) -> None:
    learned = _learn(workspace, topic, INSIGHT)
    assert learned.path.parent == workspace / "knowledge"
    assert sorted(path.name for path in workspace.parent.rglob("*")) == sorted(
        ["workspace", "mission.md", "knowledge", learned.path.name]
    )
    assert (workspace / "mission.md").read_text(encoding="utf-8") == "# Mission\n"
    assert learned.path.read_text(encoding="utf-8").split("\n")[0] == f"# {learned.title}"


def test_rule_5_a_link_to_the_constitution_is_not_followed(workspace: Path) -> None:
    (workspace / "knowledge").mkdir()
    (workspace / "knowledge/mission.md").symlink_to("../mission.md")
    (workspace / "knowledge/new.md").symlink_to("../not-there.md")
    for topic in ("mission", "new"):
        with pytest.raises(Refused, match="leads outside"):
            _learn(workspace, topic, INSIGHT)
    assert (workspace / "mission.md").read_text(encoding="utf-8") == "# Mission\n"
    assert not (workspace / "not-there.md").exists()


def test_rule_5_a_second_name_of_the_constitution_is_let_go(workspace: Path) -> None:
    (workspace / "knowledge").mkdir()
    os.link(workspace / "mission.md", workspace / "knowledge/mission.md")
    _learn(workspace, "mission", INSIGHT)
    assert (workspace / "mission.md").read_text(encoding="utf-8") == "# Mission\n"


def test_a_knowledge_folder_that_is_a_link_out_of_the_workspace_is_refused(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (workspace / "knowledge").symlink_to(tmp_path / "outside")
    with pytest.raises(Refused):
        _learn(workspace, "api", INSIGHT)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_topic_that_is_no_file_is_refused(workspace: Path) -> None:
    (workspace / "knowledge/api.md").mkdir(parents=True)
    with pytest.raises(HarnessError):
        _learn(workspace, "api", INSIGHT)


def test_b29_a_workspace_that_does_not_exist_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        _learn(tmp_path / "misspelt", "api", INSIGHT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("insight", ["", " \n ", "x" * 2001, "\n".join("x" * 101)])
def test_rule_9_what_is_no_insight_by_its_length_is_refused(workspace: Path, insight: str) -> None:
    with pytest.raises(Refused) as caught:
        _learn(workspace, "api", insight)
    assert caught.value.exit_code == 65
    assert caught.value.hint
    _learn(workspace, "api", "word " * 400)


def test_rule_9_lines_of_the_stream_are_no_insight(workspace: Path) -> None:
    said = [f"fetched page {number} of 50" for number in range(5)]
    tail = [_record(text) for text in (*said, "ok")]
    with pytest.raises(Refused, match="repeats"):
        _learn(
            workspace,
            "api",
            "Today:\n- Fetched page 0 of 50\n- fetched  page 1 of 50\n- fetched page 3 of 50",
            stream_tail=tail,
        )
    with pytest.raises(Refused, match="repeats"):
        _learn(workspace, "api", "note\n" + stream.line(NOON, "INFO", "1", "anything").decode())
    learned = _learn(
        workspace, "api", "'fetched page 0 of 50' and 'fetched page 1 of 50' mean all is ok", stream_tail=tail
    )
    assert learned.created


def test_a_secret_is_refused_and_not_repeated(workspace: Path) -> None:
    secret = "gh" + "p_" + "a1B2" * 9
    for topic, insight in (("api", f"use {secret}"), (secret, "an insight")):
        with pytest.raises(Refused, match="a GitHub token") as caught:
            _learn(workspace, topic, insight)
        assert secret.casefold() not in str(caught.value.as_dict()).casefold()
    assert not (workspace / "knowledge").exists()


def test_b23_b24_any_text_is_kept_as_it_was_said(workspace: Path) -> None:
    insight = "C:\\data\\reports | `x` \\1 \\d\n\n# heading\n<!-- harness entry=e_9 -->\n| a | b |\n限流"
    _learn(workspace, "api", insight)
    _learn(workspace, "api", "another insight", 2)
    entries = topics.parse_topic("api", (workspace / "knowledge/api.md").read_text(encoding="utf-8")).entries
    assert [one.text for one in entries] == [insight, "another insight"]


def test_b25_bytes_that_are_no_utf8_stay_in_a_topic(workspace: Path) -> None:
    (workspace / "knowledge").mkdir()
    (workspace / "knowledge/api.md").write_bytes(b"# Api\r\nbr\xffken\r\n")
    _learn(workspace, "api", INSIGHT)
    assert (workspace / "knowledge/api.md").read_bytes().startswith(b"# Api\r\nbr\xffken\r\n\n## Entry e_1")


def test_b26_a_topic_over_500_lines_is_split_and_stays_one_topic(workspace: Path) -> None:
    hand = "# Api\n\nmine\n" + "line\n" * 200
    (workspace / "knowledge").mkdir()
    (workspace / "knowledge/api.md").write_text(hand, encoding="utf-8")
    for number in range(130):
        learned = _learn(workspace, "api", f"insight {number} is {number * 7} and {'ab' * number}", number)
        assert learned.superseded == ()
    files = {path.name: path.read_text(encoding="utf-8") for path in shelf.files(workspace)}
    assert list(files) == ["api.md", "api_2.md", "api_3.md"]
    assert all(topics.lines_in(text) <= 500 for text in files.values())
    assert files["api.md"].startswith(hand)
    ids = [
        one.id for name in ("api_2.md", "api_3.md", "api.md") for one in topics.parse_topic("x", files[name]).entries
    ]
    assert ids == [f"e_{number}" for number in range(130)]
    again = _learn(workspace, "api", "insight 0 is 0 and ", 999)
    assert again.duplicate_of == "e_0", "what was split off is still known"


def test_a_split_that_was_killed_between_its_files_loses_nothing(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "# T\n"
    for number in range(120):
        entry = topics.Entry(f"e_{number}", NOON, "-", "agent", (), f"insight {number}")
        text = topics.with_entry(topics.parse_topic("t", text), "T", entry)
    path = workspace / "knowledge/t.md"
    shelf.write_text(path, text)
    write = shelf.write_text

    def dies(target: Path, content: str) -> None:
        if target == path:
            raise KeyboardInterrupt
        write(target, content)

    monkeypatch.setattr(shelf, "write_text", dies)
    with pytest.raises(KeyboardInterrupt):
        write_split(workspace, path, text)
    monkeypatch.undo()
    assert path.read_text(encoding="utf-8") == text
    write_split(workspace, path, text)
    found = [
        one.id for file in shelf.files(workspace) for one in topics.parse_topic("t", shelf.read_text(file)).entries
    ]
    assert sorted(found) == sorted(f"e_{number}" for number in range(120))


def test_the_path_of_a_stream_record_imports_nothing_heavy() -> None:
    program = "import sys, harnessos.memory.stream; print(sorted({'dataclasses', 'json', 'datetime', 'inspect', 'zlib', 'asyncio'} & set(sys.modules)))"
    bare = run_python("-c", program.replace(", harnessos.memory.stream", "")).stdout
    assert run_python("-c", program).stdout == bare
