"""Which golden queries a probe asks, and what a release recorded of them."""

from __future__ import annotations

from pydantic import JsonValue as Json

from quality_checks.evaluation import Judged
from quality_checks.golden import GoldenQuery, GoldenSet, Judgement
from quality_checks.resolution import resolve
from quality_checks.service_probe import MOST, recorded_mean, recorded_of, sampled, to_ask

DOCUMENTS = {"wiki:a.md": "The otter sleeps in a holt.", "wiki:b.md": "The badger digs a sett."}


def judged(name: str = "set", tenant: str = "default") -> Judged:
    queries = (
        GoldenQuery(id="whole", query="otter", relevant=(Judgement(document="wiki:a.md"),)),
        GoldenQuery(id="passage", query="badger", relevant=(Judgement(document="wiki:b.md", quote="digs a sett"),)),
        GoldenQuery(id="stale", query="swift", relevant=(Judgement(document="wiki:c.md"),)),
    )
    golden = GoldenSet(name=name, tenant=tenant, queries=queries)
    return Judged(golden, resolve(golden, DOCUMENTS))


def test_the_sample_is_the_same_whatever_the_order_and_mostly_when_others_come() -> None:
    names = [f"set/{number}" for number in range(1000)]
    first = sampled(names)
    assert first == sampled(reversed(names))
    assert len(first) == len(set(first)) == MOST
    assert first != sorted(names)[:MOST]
    assert len(set(first) & set(sampled([*names, *(f"new/{number}" for number in range(100))]))) > 80


def test_each_query_is_asked_for_what_it_is_judged_by() -> None:
    asked = {each.name: each for each in to_ask([judged()], "default")}
    assert asked.keys() == {"set/whole", "set/passage"}, "a query without a judgement left is not asked"
    assert asked["set/whole"].body() == {"query": "otter", "limit": 100, "group_by": "document"}
    assert asked["set/passage"].body() == {"query": "badger", "limit": 100}


def test_sets_of_another_tenant_are_not_asked() -> None:
    assert {each.name for each in to_ask([judged(), judged("theirs", "others")], "others")} == {"theirs/whole", "theirs/passage"}
    assert len(to_ask([judged(), judged("second")], "default", most=3)) == 3


def test_what_a_release_recorded_of_them_if_anything() -> None:
    scores: dict[str, Json] = {"probed": {"set/a": 0.5, "set/b": 1, "set/c": "x"}, "modes": {"hybrid": {"ndcg@10": {"value": 0.7}}}}
    assert recorded_of(scores, {"set/a", "set/b", "set/c", "set/d"}) == {"set/a": 0.5, "set/b": 1.0}
    assert recorded_mean(scores) == 0.7
    assert recorded_of({}, {"set/a"}) == {}
    assert recorded_mean({"modes": {"hybrid": {"ndcg@10": "x"}}}) is None
    assert recorded_mean({"modes": []}) is None
