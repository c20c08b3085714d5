"""`harness init` and `where`: which ledger, which project, from wherever one stands (P09)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.commands import Terminal
from tests.support.repositories import commit_files, make_repository, user_git


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo")


@pytest.fixture
def terminal(tmp_path: Path, repo: Path) -> Terminal:
    return Terminal(tmp_path / "home", repo)


def test_init_registers_a_repository_and_says_on_stderr_what_it_made(terminal: Terminal, repo: Path) -> None:
    said = terminal("init", ".", "--key", "docs", "--json")
    assert said.code == 0
    assert said.json["project"]["key"] == "DOCS"
    assert said.json["project"]["target"] == "main"
    assert said.json["created"] == {"store": True, "project": True}
    assert "created the ledger" in said.err
    assert (repo / ".git" / "harness.json").is_file()
    assert (terminal.home / "harness.sqlite").stat().st_mode & 0o777 == 0o600


def test_init_again_changes_nothing(terminal: Terminal, repo: Path) -> None:
    first = terminal.good("init", ".", "--key", "DOCS")
    before = (repo / ".git" / "harness.json").stat().st_mtime_ns
    again = terminal.good("init", ".", "--key", "DOCS")
    assert again["created"] == {"store": False, "project": False}
    assert again["project"]["id"] == first["project"]["id"]
    assert (repo / ".git" / "harness.json").stat().st_mtime_ns == before


def test_same_db_from_main_subdir_worktree_symlink_and_mcp_cwd_root(
    terminal: Terminal, repo: Path, tmp_path: Path
) -> None:
    terminal.good("init", ".", "--key", "DOCS")
    user_git(repo, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    (tmp_path / "link").symlink_to(repo)
    places = (repo, repo / "src", tmp_path / "tree", tmp_path / "tree" / "src", tmp_path / "link" / "src")
    found = [terminal.at(place).good("where") for place in places]
    assert {(each["store"], each["ledger_id"], each["project_id"]) for each in found} == {
        (found[0]["store"], found[0]["ledger_id"], found[0]["project_id"])
    }
    outside = terminal.at(Path("/")).good("where")
    assert outside["ledger_id"] == found[0]["ledger_id"]
    assert outside["project_key"] is None


def test_every_command_can_print_where(terminal: Terminal, repo: Path, tmp_path: Path) -> None:
    """The four ways a store is found, each said in words, the first that applies."""
    terminal.good("init", ".", "--key", "DOCS")
    other = f"sqlite:///{tmp_path}/other.sqlite"
    assert "registered in" in terminal.good("where")["how"]
    assert "HARNESS_STORE" in terminal.good("where", HARNESS_STORE=other)["how"]
    assert "--store" in terminal.good("where", "--store", other, HARNESS_STORE="sqlite:////nowhere")["how"]
    assert "not registered" in terminal.at(tmp_path).good("where")["how"]
    document = terminal.good("where")
    assert document["path"] == str(terminal.home / "harness.sqlite")
    assert document["schema"] >= 3
    assert document["project_path"] == str(repo)


def test_where_says_what_is_wrong_with_a_ledger_and_still_answers(terminal: Terminal) -> None:
    document = terminal.good("where")
    assert document["problem"]["code"] == "store_missing"
    assert "store_missing" in terminal("where").out


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "apply", "PLAN", "--project", "DOCS"),
        ("session", "begin", "--project", "DOCS"),
        ("session", "heartbeat", "--session", "hs_x"),
        ("project", "list"),
        ("issue", "retry", "DOCS-1"),
        ("db", "check"),
        ("db", "export"),
        ("db", "upgrade"),
    ],
    ids=" ".join,
)
def test_never_creates_db_implicitly(terminal: Terminal, words: tuple[str, ...]) -> None:
    typed = [str(terminal.plan()) if word == "PLAN" else word for word in words]
    said = terminal(*typed, "--json")
    assert said.code == 69
    assert said.error["code"] == "store_missing"
    assert "harness init" in said.error["hint"]
    assert not terminal.home.exists()


def test_a_clone_joins_the_project_of_its_repository(terminal: Terminal, repo: Path, tmp_path: Path) -> None:
    first = terminal.good("init", ".", "--key", "DOCS")
    user_git(tmp_path, "clone", "--quiet", str(repo), str(tmp_path / "clone"))
    joined = terminal.at(tmp_path / "clone").good("init", ".", "--key", "DOCS")
    assert joined["project"]["id"] == first["project"]["id"]
    assert joined["created"] == {"store": False, "project": False}
    assert len(terminal.good("project", "show")["locations"]) == 2


def test_another_repository_cannot_take_the_key(terminal: Terminal, tmp_path: Path) -> None:
    terminal.good("init", ".", "--key", "DOCS")
    other = make_repository(tmp_path / "other", {"OTHER": "x\n"})
    said = terminal.at(other)("init", ".", "--key", "DOCS", "--json")
    assert said.code == 65
    assert "first commit" in said.error["message"]
    assert not (other / ".git" / "harness.json").exists()


def test_a_place_is_not_registered_twice(terminal: Terminal) -> None:
    terminal.good("init", ".", "--key", "DOCS")
    said = terminal("init", ".", "--key", "OTHER", "--json")
    assert said.code == 65
    assert "--key DOCS" in said.error["hint"]
    assert [item["key"] for item in terminal.good("project", "list")["items"]] == ["DOCS"]


def test_a_place_does_not_move_to_another_ledger_by_accident(terminal: Terminal, tmp_path: Path) -> None:
    terminal.good("init", ".", "--key", "DOCS")
    said = terminal("init", ".", "--key", "DOCS", "--store", f"sqlite:///{tmp_path}/second.sqlite", "--json")
    assert said.code == 65
    assert "another ledger" in said.error["message"]


def test_a_plain_folder_is_registered_in_itself(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    (folder / "deep").mkdir(parents=True)
    done = terminal.at(folder).good("init", ".", "--key", "PAPERS")
    assert done["project"]["kind"] == "folder"
    assert (folder / ".harness" / "project.json").is_file()
    assert terminal.at(folder / "deep").good("where")["project_key"] == "PAPERS"


def test_a_moved_repository_is_refused_and_init_mends_it(terminal: Terminal, repo: Path, tmp_path: Path) -> None:
    project = terminal.good("init", ".", "--key", "DOCS")["project"]["id"]
    moved = terminal.at(repo.rename(tmp_path / "moved"))
    said = moved("session", "begin", "--json")
    assert said.code == 65
    assert "was moved from" in said.error["message"]
    assert "--key DOCS" in said.error["hint"]
    assert moved.good("where")["moved"]
    assert moved.good("init", ".", "--key", "DOCS")["project"]["id"] == project
    assert [place["path"] for place in moved.good("project", "show")["locations"]] == [str(tmp_path / "moved")]


def test_a_copied_repository_is_refused_until_it_is_registered(terminal: Terminal, repo: Path, tmp_path: Path) -> None:
    terminal.good("init", ".", "--key", "DOCS")
    shutil.copytree(repo, tmp_path / "copy")
    copy = terminal.at(tmp_path / "copy")
    said = copy("plan", "apply", str(terminal.plan()), "--json")
    assert said.code == 65
    assert "was copied from" in said.error["message"]
    copy.good("init", ".", "--key", "COPY")
    assert copy.good("where")["project_key"] == "COPY"
    assert terminal.good("where")["project_key"] == "DOCS"


def test_init_writes_a_workflow_once_and_never_over_one(terminal: Terminal, repo: Path) -> None:
    terminal.good("init", ".", "--key", "DOCS", "--workflow")
    (repo / "WORKFLOW.md").write_text("mine", encoding="utf-8")
    said = terminal("init", ".", "--key", "DOCS", "--workflow")
    assert said.code == 0
    assert "left as it is" in said.err
    assert (repo / "WORKFLOW.md").read_text(encoding="utf-8") == "mine"


def test_the_first_workflow_of_a_plain_folder_can_be_passed_without_git(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    papers = terminal.at(folder)
    papers.good("init", ".", "--key", "PAPERS", "--workflow")
    papers.good("plan", "apply", str(papers.plan()))
    token = papers.good("session", "begin")["session"]["token"]
    (folder / "a.txt").write_text("made\n", encoding="utf-8")
    closed = papers("session", "close", "--outcome", "finished", "--json", HARNESS_SESSION_TOKEN=token)
    assert (closed.code, closed.json["verdict"]) == (0, "verified")
    assert "kind: diff" not in (folder / "WORKFLOW.md").read_text(encoding="utf-8")


def test_a_dry_run_of_init_says_what_it_would_write_and_writes_nothing(terminal: Terminal, repo: Path) -> None:
    words = ("init", ".", "--key", "DOCS", "--workflow", "--dry-run")
    would = terminal.good(*words)["would"]
    assert [line.split()[0] for line in would] == ["create", "create", "write", "write"]
    assert not terminal.home.exists()
    terminal.good(*words[:-1])
    assert terminal.good(*words)["would"] == []
    assert (repo / "WORKFLOW.md").is_file()


def test_init_from_a_subfolder_registers_the_repository(terminal: Terminal, repo: Path) -> None:
    assert terminal.at(repo / "src").good("init", ".", "--key", "DOCS")["path"] == str(repo)


def test_the_password_of_a_store_is_not_kept(terminal: Terminal, database: str, repo: Path) -> None:
    scheme, _, rest = database.partition("://")
    who, at, where = rest.rpartition("@")
    url = f"{scheme}://{who.partition(':')[0] or 'harness'}:secret@{where}" if at else database
    terminal.good("init", ".", "--key", "DOCS", "--store", url)
    assert "secret" not in (repo / ".git" / "harness.json").read_text(encoding="utf-8")
    assert "secret" not in terminal("where", "--json", "--store", "postgresql://me:secret@nowhere/x").out


def test_two_terminals_that_init_at_once_make_one_ledger(terminal: Terminal, tmp_path: Path) -> None:
    import concurrent.futures

    repos = [make_repository(tmp_path / f"r{n}", {"F": str(n)}) for n in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda n: terminal.at(repos[n])("init", ".", "--key", f"P{n}", "--json"), range(4)))
    assert [said.code for said in done] == [0, 0, 0, 0], [said.err for said in done]
    assert sum(said.json["created"]["store"] for said in done) == 1
    assert len({said.json["ledger_id"] for said in done}) == 1


def test_a_second_commit_does_not_change_what_a_repository_is(terminal: Terminal, repo: Path) -> None:
    first = terminal.good("init", ".", "--key", "DOCS")
    commit_files(repo, {"more": "x"})
    assert terminal.good("init", ".", "--key", "DOCS")["project"]["id"] == first["project"]["id"]
