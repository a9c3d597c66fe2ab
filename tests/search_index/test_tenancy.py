"""What is told of a release to somebody of one tenant."""

from __future__ import annotations

import pytest

from search_index.model.release import Counts, Held, Manifest, ReleaseRecord, SourcePin, Verdict, now
from search_index.model.tenant import is_tenant
from search_index.tenancy import OF_THE_WHOLE, held_for, is_whole, quarantined_for, record_for, verdicts_for
from tests.retrieval_service.fakes import manifest_of


def manifest(held: tuple[Held, ...] = (), **tenants: str) -> Manifest:
    plain = manifest_of(1, parent=None)
    pin = next(iter(plain.sources.values()))
    sources: dict[str, SourcePin] = {source: pin.model_copy(update={"tenant": tenant}) for source, tenant in tenants.items()}
    counts = {tenant: Counts(documents=len(tenant)) for tenant in tenants.values()}
    update = {"sources": sources, "held": list(held), "tenants": counts, "ranking": {"method": "convex", "tuned": {"chunks": 9}}}
    return plain.model_copy(update=update)


def record(of: Manifest) -> ReleaseRecord:
    return ReleaseRecord(
        revision=1, status="live", created_at=now(), published_at=now(), run_id="run", manifest=of, signed_text="{}", signature="ab",
        reasons=["b failed"], overridden=["b/check"], scores={"modes": {}},
    )  # fmt: skip


SHARED = manifest((Held(source="late", reasons=["b"], tenant="south"), Held(source="broken", reasons=["?"])), a="north", b="south")


def test_a_release_of_one_tenant_alone_is_told_as_it_is() -> None:
    whole = manifest((Held(source="broken", reasons=["?"]),), a="north", b="north")
    assert is_whole(whole, "north")
    kept = record(whole)
    assert record_for(kept, "north") is kept
    assert [held.source for held in held_for(whole, "north")] == ["broken"], "it can be nobody else's"
    assert quarantined_for({"a": 1, "unknown": 2}, whole, "north") == {"a": 1, "unknown": 2}


def test_a_source_that_no_release_holds_yet_is_whose_its_lane_says() -> None:
    whole = manifest(a="north")
    assert quarantined_for({"a": 1, "new": 2}, whole, "north", {"new": "south"}) == {"a": 1}
    assert quarantined_for({"a": 1, "new": 2}, None, "north", {"new": "south", "a": "north"}) == {"a": 1}
    assert quarantined_for({"a": 1}, None, "north") == {}, "what cannot be told is nobody's"


def test_of_a_shared_one_nothing_is_told_but_of_ones_own_sources() -> None:
    told = record_for(record(SHARED), "north")
    assert told.manifest is not None
    assert told.manifest.sources.keys() == {"a"}
    assert (told.manifest.held, told.manifest.counts, told.manifest.tenants) == ([], Counts(documents=5), {"north": Counts(documents=5)})
    assert told.manifest.ranking == {"method": "convex"}
    assert (told.signature, told.signed_text, told.reasons, told.overridden, told.scores) == (None, None, [], [], {})
    assert [held.source for held in held_for(SHARED, "south")] == ["late"]
    assert quarantined_for({"a": 1, "b": 2, "late": 3, "unknown": 4}, SHARED, "south") == {"b": 2, "late": 3}
    nobody = record_for(record(SHARED), "west").manifest
    assert nobody is not None
    assert (nobody.sources, nobody.counts) == ({}, Counts())


def test_verdicts_on_the_whole_are_told_without_what_they_found() -> None:
    def verdict(subject: str) -> Verdict:
        return Verdict(
            check="c",
            subject=subject,
            inputs={},
            outcome="passed",
            severity="error",
            summary=f"{subject} is fine",
            run_id="r",
            evidence={"n": 1},
        )

    every = [verdict(subject) for subject in ("a", "b", "late", "broken", "candidate")]
    told = verdicts_for(every, SHARED, "north")
    assert [(one.subject, one.summary, one.evidence) for one in told] == [("a", "a is fine", {"n": 1}), ("candidate", OF_THE_WHOLE, {})]
    assert [one.subject for one in verdicts_for(every, SHARED, "south")] == ["b", "late", "candidate"]


@pytest.mark.parametrize(
    ("name", "one"),
    [("default", True), ("a", True), ("a-b_2", True), ("", False), ("2a", False), ("A", False), ("a\n", False), ("a" * 65, False)],
)
def test_what_can_be_a_tenants_name(name: str, one: bool) -> None:
    assert is_tenant(name) is one
