"""The gates: nothing is published without a passing verdict on exactly what the manifest pins."""

from __future__ import annotations

from typing import Literal

import pytest

from quality_checks.changes import loosened_contract, mass_removal, unlike_published
from quality_checks.gates import CANDIDATE, Expected, candidate_inputs, decide, expected_of_candidate, shortfalls
from search_index.model.release import Counts, Held, Manifest, ModelPin, SourcePin, TablePin, Verdict, now


def pin(digest: str = "rows", **update: object) -> SourcePin:
    table = TablePin(version=1, digest=digest, rows=3)
    made = SourcePin(
        contract="contract", contract_version="1", access=["everyone"], checks=["a", "b"], manifest=table, documents=table, chunks=table,
        vectors=table, chunker="ch",
    )  # fmt: skip
    return made.model_copy(update=update)


def manifest(sources: dict[str, SourcePin], held: list[Held] | None = None, revision: int = 2) -> Manifest:
    return Manifest(
        revision=revision, parent=1, index="i", content="c", sources=sources, held=held or [],
        model=ModelPin(name="m", digest="d", encoder="e", runtime="r", dimension=3), bm25={}, ranking={}, golden="g", counts=Counts(),
        run_id="run", created_at=now(),
    )  # fmt: skip


def expected(subject: str = "s", inputs: str = "rows", severity: Literal["error", "warning"] = "error") -> Expected:
    return Expected("check", subject, severity, {"rows": inputs})


def verdict(of: Expected, outcome: Literal["passed", "failed"] = "passed") -> Verdict:
    return Verdict(
        check=of.check, subject=of.subject, inputs=of.inputs, outcome=outcome, severity=of.severity, summary="what it found", run_id="run"
    )


def whole(m: Manifest) -> list[Expected]:
    return [expected(), *expected_of_candidate(m)]


def test_a_candidate_with_every_verdict_is_published() -> None:
    m = manifest({"s": pin()})
    ruling = decide(m, None, whole(m), [verdict(e) for e in whole(m)])
    assert (ruling.outcome, ruling.reasons) == ("publish", [])
    assert len(ruling.decided_by) == len(whole(m))


@pytest.mark.parametrize("left_out", range(len(whole(manifest({"s": pin()})))))
def test_any_one_missing_verdict_refuses(left_out: int) -> None:
    m = manifest({"s": pin()})
    verdicts = [verdict(e) for e in whole(m)]
    missing = verdicts.pop(left_out)
    ruling = decide(m, None, whole(m), verdicts)
    assert ruling.outcome == "refuse"
    assert ruling.reasons == [f"{missing.check} has no verdict on this data"]


def test_a_green_verdict_on_newer_data_does_not_count() -> None:
    assert shortfalls([expected(inputs="what the candidate holds")], [verdict(expected(inputs="newer"))]) == [
        "check has no verdict on this data"
    ]


def test_a_verdict_on_another_subject_does_not_count() -> None:
    assert shortfalls([expected("a")], [verdict(expected("b"))])


def test_a_verdict_on_another_manifest_does_not_count() -> None:
    m, other = manifest({"s": pin()}), manifest({"s": pin()}, revision=3)
    assert candidate_inputs(m, "code") != candidate_inputs(other, "code")
    assert decide(m, None, whole(m), [verdict(e) for e in whole(other)]).outcome == "refuse"


def test_a_failed_error_refuses_with_its_summary_and_a_failed_warning_does_not() -> None:
    assert shortfalls([expected()], [verdict(expected(), "failed")]) == ["check: what it found"]
    warning = expected(severity="warning")
    assert shortfalls([warning], [verdict(warning, "failed")]) == []
    assert shortfalls([warning], []) == ["check has no verdict on this data"]


def test_a_verdict_that_calls_itself_a_warning_does_not_soften_an_error() -> None:
    soft = verdict(expected(), "failed").model_copy(update={"severity": "warning"})
    assert shortfalls([expected()], [soft])


def test_nothing_expected_is_not_everything_met() -> None:
    m = manifest({"s": pin()})
    assert decide(m, None, [], []).outcome == "refuse"
    assert decide(m, None, expected_of_candidate(m), [verdict(e) for e in expected_of_candidate(m)]).reasons == [
        "source s has no expected checks"
    ]


def test_a_held_source_has_to_stand_as_in_the_head() -> None:
    held = [Held(source="s", reasons=["r"])]
    head = manifest({"s": pin()}, revision=1)
    same, sneaked = manifest({"s": pin()}, held), manifest({"s": pin("other rows")}, held)
    for m, outcome in ((same, "publish"), (sneaked, "refuse")):
        ours = expected_of_candidate(m)
        assert decide(m, head, ours, [verdict(e) for e in ours]).outcome == outcome
    left_out = manifest({}, held)
    ours = expected_of_candidate(left_out)
    assert decide(left_out, None, ours, [verdict(e) for e in ours]).outcome == "publish"
    assert CANDIDATE in {e.subject for e in ours}


def test_mass_removal_waits_and_a_small_one_does_not() -> None:
    published = {str(i) for i in range(40)}
    change = mass_removal("s", published, {str(i) for i in range(15)}, 0.5)
    assert change is not None
    assert change.description == "25 of 40 documents are gone"
    assert mass_removal("s", published, {str(i) for i in range(25)}, 0.5) is None
    assert mass_removal("s", {"1", "2", "3"}, {"1"}, 0.5) is None
    assert mass_removal("s", {"1", "2", "3"}, set(), 0.5) is not None
    assert mass_removal("s", set(), {"1"}, 0.5) is None
    again = mass_removal("s", published, {str(i) for i in range(15)}, 0.5)
    assert again is not None
    assert again.change == change.change


def test_a_contract_that_opens_access_or_drops_a_check_waits() -> None:
    assert loosened_contract("s", pin(), ["everyone"], ["a", "b", "c"]) is None
    opened = loosened_contract("s", pin(access=["staff"]), ["staff", "everyone"], ["a", "b"])
    assert opened is not None
    assert "lets everyone read" in opened.description
    dropped = loosened_contract("s", pin(), ["everyone"], ["a"])
    assert dropped is not None
    assert "drops the checks b" in dropped.description
    assert loosened_contract("s", None, ["everyone"], []) is None


def test_a_contract_that_demands_less_waits_and_says_each_thing_once() -> None:
    weaker = loosened_contract("s", pin(), ["everyone"], ["a", "b"], ["weakens the rule b (max_value)"])
    assert weaker is not None
    assert weaker.description == "the contract weakens the rule b (max_value)"
    dropped = loosened_contract("s", pin(), ["everyone"], ["a"], ["drops the rule b"])
    assert dropped is not None
    assert dropped.description == "the contract drops the checks b"


def test_what_is_accepted_is_these_rows_and_none_that_come_later() -> None:
    first, again, later = (unlike_published("s", "volume_kept", "12 of 40 documents lost most of their text", rows) for rows in "aab")
    assert first.change == again.change != later.change
