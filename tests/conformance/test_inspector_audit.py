"""A ledger that somebody changed by hand is found out, on both stores."""

from __future__ import annotations

import json

import pytest

from harnessos import errors
from harnessos.inspector import audit, views
from harnessos.inspector.chains import Finding
from tests.support.by_hand import change
from tests.support.ledger import Ledger, draft


def _worked(ledger: Ledger) -> None:
    ledger.plan("a", "b", draft("c", depends=["a"]))
    ledger.do_all("a", "b")


def _found(ledger: Ledger, name: str | None = None) -> list[Finding]:
    if name is None:
        return list(audit.verify_all(ledger.store))
    return ledger.store.read(audit.verify, ledger.identifier(name))


def _edit(ledger: Ledger, statement: str) -> None:
    row = ledger["a"]
    assert change(ledger.store.url, statement.format(id=row["id"], last=row["event_seq"])) > 0


def test_an_untouched_ledger_verifies(ledger: Ledger) -> None:
    _worked(ledger)
    assert _found(ledger) == []
    assert _found(ledger, "a") == []
    assert _found(ledger, "DOCS") == []


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        ("edited", "UPDATE events SET actor = 'operator:nobody' WHERE subject_id = '{id}' AND subject_seq = 2"),
        ("edited", "UPDATE events SET data_json = '{{}}' WHERE subject_id = '{id}' AND subject_seq = 1"),
        ("edited", "UPDATE events SET at = at + 1 WHERE subject_id = '{id}' AND subject_seq = {last}"),
        ("removed", "DELETE FROM events WHERE subject_id = '{id}' AND subject_seq = 2"),
        ("removed", "DELETE FROM events WHERE subject_id = '{id}' AND subject_seq = 1"),
        ("cut_off", "DELETE FROM events WHERE subject_id = '{id}' AND subject_seq = {last}"),
        ("cut_off", "DELETE FROM events WHERE subject_id = '{id}'"),
        ("head", "UPDATE issues SET event_head = 'other' WHERE id = '{id}'"),
        (
            "inserted",
            (
                "INSERT INTO events (subject_kind, subject_id, subject_seq, at, kind, actor, cause, data_json, hash) "
                "VALUES ('issue', '{id}', {last} + 1, 1, 'issue.approved', 'operator', '', '{{}}', 'x')"
            ),
        ),
    ],
)
def test_a_change_by_hand_is_found(ledger: Ledger, what: str, statement: str) -> None:
    _worked(ledger)
    _edit(ledger, statement)
    for found in (_found(ledger, "a"), _found(ledger)):
        assert what in {finding.what for finding in found}
        assert {finding.subject for finding in found} == {ledger.identifier("a")}
    assert _found(ledger, "b") == []


def test_an_event_put_into_the_middle_is_found(ledger: Ledger) -> None:
    """The later ones are numbered on, so that no number is missing."""
    _worked(ledger)
    last = ledger["a"]["event_seq"]
    for seq in range(last, 1, -1):
        _edit(ledger, f"UPDATE events SET subject_seq = {seq + 1} WHERE subject_id = '{{id}}' AND subject_seq = {seq}")
    _edit(
        ledger,
        "INSERT INTO events (subject_kind, subject_id, subject_seq, at, kind, actor, cause, data_json, hash) "
        "VALUES ('issue', '{id}', 2, 1, 'issue.approved', 'operator', '', '{{}}', 'x')",
    )
    assert {finding.seq for finding in _found(ledger, "a")} >= {2}


def test_an_event_of_nothing_is_found(ledger: Ledger) -> None:
    _worked(ledger)
    statement = (
        "INSERT INTO events (subject_kind, subject_id, subject_seq, at, kind, actor, cause, data_json, hash) "
        "VALUES ('issue', 'iss-nowhere', 1, 1, 'issue.planned', 'operator', '', '{}', 'x')"
    )
    assert change(ledger.store.url, statement) == 1
    assert [(finding.what, finding.subject) for finding in _found(ledger)] == [("inserted", "iss-nowhere")]


@pytest.mark.parametrize("subject", ["project", "campaign"])
def test_the_chains_of_projects_and_campaigns_are_checked_too(ledger: Ledger, subject: str) -> None:
    _worked(ledger)
    assert change(ledger.store.url, f"UPDATE events SET data_json = '[]' WHERE subject_kind = '{subject}'") > 0
    found = _found(ledger)
    assert {finding.what for finding in found} == {"edited"}
    assert {finding.subject_kind for finding in found} == {subject}


def test_verification_goes_on_beyond_one_batch(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "BATCH", 2)
    monkeypatch.setattr(audit, "WINDOW", 3)
    _worked(ledger)
    assert _found(ledger) == []
    for name in ("a", "b", "c"):
        statement = f"UPDATE issues SET event_head = 'x' WHERE identifier = '{ledger.identifier(name)}'"
        assert change(ledger.store.url, statement) == 1
    assert len(_found(ledger)) == 3


def test_an_audit_shows_a_subject_by_every_name_it_has(ledger: Ledger) -> None:
    _worked(ledger)
    issue, campaign = ledger["a"], ledger.campaign("default")
    for name in (issue["identifier"], issue["id"]):
        assert ledger.store.read(audit.query, name).subject["id"] == issue["id"]
    assert ledger.store.read(audit.query, "DOCS").subject["kind"] == "project"
    assert ledger.store.read(audit.query, campaign["id"]).subject["kind"] == "campaign"
    assert ledger.store.read(audit.query, "ledger").subject["kind"] == "ledger"
    with pytest.raises(errors.UnknownIdentifier):
        ledger.store.read(audit.query, "DOCS-404")


def test_an_audit_is_a_versioned_document_in_pages(ledger: Ledger) -> None:
    _worked(ledger)
    first = ledger.store.read(audit.query, ledger.identifier("a"), "", 2)
    rest = ledger.store.read(audit.query, ledger.identifier("a"), first.cursor or "")
    assert first.audit_version == 1
    assert [entry.kind for entry in (*first.timeline, *rest.timeline)] == ledger.kinds("a")
    json.dumps(views.document(first))


def test_an_anchor_holds_the_head_of_every_chain(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    _worked(ledger)
    whole = ledger.store.read(audit.anchor)
    assert whole.cursor is None
    monkeypatch.setattr(audit, "BATCH", 2)
    heads: list[audit.Subject] = []
    cursor: str | None = ""
    while cursor is not None:
        page = ledger.store.read(audit.anchor, cursor)
        heads += page.heads
        cursor = page.cursor
    assert tuple(heads) == whole.heads
    assert {head.kind for head in heads} >= {"project", "campaign", "issue"}
    assert {head.head for head in heads if head.kind == "issue"} == {ledger[name]["event_head"] for name in "abc"}
