"""A hash covers its event and all before it."""

from __future__ import annotations

from harnessos.model.event import Event, chained

FIRST = Event("issue", "iss-1", 1, 1, "issue.planned", "operator", "plan", None, None, "{}")
SECOND = FIRST._replace(subject_seq=2, kind="run.claimed")


def test_an_edited_event_that_was_given_a_new_hash_still_breaks_what_follows() -> None:
    whole = chained(chained("", FIRST), SECOND)
    edited = chained(chained("", FIRST._replace(data_json='{"edited":1}')), SECOND)
    assert whole != edited
