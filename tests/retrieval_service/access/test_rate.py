"""How many requests each caller may make, and what those hear who make more."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval_service.access.caller import network_of
from retrieval_service.access.gate import GUESSES_PER_MINUTE
from retrieval_service.access.rate import WINDOW_S, RateLimiter
from tests.retrieval_service.access.conftest import Services, ask, bearer, issue, metric, problem
from tests.retrieval_service.fakes import search_body


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_next_request_over_the_limit_hears_when_to_come_back(services: Services, admin: str) -> None:
    one, another = issue(services.index), issue(services.index)
    with services.client(rate_limit=3) as client:
        answers = [ask(client, one.secret) for _ in range(4)]
        assert [a.status_code for a in answers] == [200, 200, 200, 429]
        assert [a.headers["RateLimit"].split(";")[1] for a in answers] == ["r=2", "r=1", "r=0", "r=0"]
        assert {a.headers["RateLimit-Policy"] for a in answers} == {'"caller";q=3;w=60'}
        assert problem(answers[3]) == "too-many-requests"
        assert 1 <= int(answers[3].headers["Retry-After"]) <= 121
        assert ask(client, another.secret).status_code == 200, "each key has its own"
        assert metric(client, admin, 'plumbline_refused_requests_total{reason="rate"}') == 1


def test_a_keys_own_limit_wins_and_none_is_none(services: Services) -> None:
    small, unlimited = issue(services.index, requests_per_minute=1), issue(services.index, requests_per_minute=0)
    with services.client(rate_limit=2) as client:
        assert [ask(client, small.secret).status_code for _ in range(2)] == [200, 429]
        answers = [ask(client, unlimited.secret) for _ in range(5)]
        assert [a.status_code for a in answers] == [200] * 5
        assert "RateLimit" not in answers[0].headers
    with services.client(rate_limit=0) as client:
        assert "RateLimit" not in ask(client, issue(services.index).secret).headers


def test_requests_that_are_forbidden_count_too(services: Services) -> None:
    held = issue(services.index)
    with services.client(rate_limit=2) as client:
        answers = [client.get("/v1/releases", headers=bearer(held.secret)).status_code for _ in range(3)]
    assert answers == [403, 403, 429]


def test_anonymous_callers_are_counted_by_address_and_public_paths_are_not(services: Services) -> None:
    with services.client(rate_limit=2, allow_anonymous=True) as client:
        assert [ask(client).status_code for _ in range(3)] == [200, 200, 429]
        assert {client.get(path).status_code for path in ("/health/live", "/", "/openapi.json") for _ in range(3)} == {200}


def test_development_is_not_limited(services: Services) -> None:
    with services.client(rate_limit=1) as client:
        assert {ask(client).status_code for _ in range(3)} == {200}


def test_guessing_is_slowed_down_and_locks_nobody_out(services: Services, admin: str) -> None:
    held = issue(services.index)
    with services.client() as client:
        answers = [ask(client, f"plb_{i:010x}_{'A' * 43}") for i in range(GUESSES_PER_MINUTE + 2)]
        assert [a.status_code for a in answers] == [401] * GUESSES_PER_MINUTE + [429] * 2
        assert "Retry-After" in answers[-1].headers
        assert ask(client, held.secret).status_code == 200, "a valid key from the same address goes on working"
        assert metric(client, admin, 'plumbline_refused_requests_total{reason="guessing"}') == 2


@given(
    limit=st.integers(1, 20),
    gaps=st.lists(st.floats(0, 40, allow_nan=False, allow_subnormal=False), min_size=1, max_size=120),
)
def test_whoever_waits_as_told_is_let_in_and_no_aligned_minute_holds_more_than_the_limit(limit: int, gaps: list[float]) -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    minutes: dict[int, int] = {}
    for gap in gaps:
        clock.now += gap
        allowance = limiter.hit("one", limit)
        if not allowance.allowed:
            assert 0 <= allowance.reset_s <= 2 * WINDOW_S
            clock.now += allowance.reset_s + 1e-6
            assert limiter.hit("one", limit).allowed, "it came back when it was told to"
        minutes[int(clock.now // WINDOW_S)] = minutes.get(int(clock.now // WINDOW_S), 0) + 1
    assert max(minutes.values()) <= limit


def test_a_full_minute_is_not_forgotten_at_its_end() -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    clock.now = WINDOW_S - 1
    assert all(limiter.hit("one", 100).allowed for _ in range(100))
    clock.now = WINDOW_S + 1
    assert sum(limiter.hit("one", 100).allowed for _ in range(100)) <= 2


def test_memory_is_bounded_however_many_ask() -> None:
    limiter = RateLimiter(Clock(), capacity=100)
    for i in range(10_000):
        limiter.hit(f"address:{i}", 5)
    assert len(limiter._counts) == 100
    assert sys.getsizeof(limiter._counts) < 50_000


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"), ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"), ("fe80::1%eth0", "fe80::"), ("", "unknown"), ("testclient", "unknown"),
    ],
)  # fmt: skip
def test_an_address_of_ipv6_counts_as_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_batch_counts_as_the_searches_in_it(services: Services) -> None:
    held = issue(services.index, requests_per_minute=10)
    with services.client() as client:
        batch = {"requests": [search_body()] * 4}
        answers = [client.post("/v1/search/batch", json=batch, headers=bearer(held.secret)) for _ in range(3)]
        assert [a.status_code for a in answers] == [200, 200, 429]
        assert problem(answers[2]) == "too-many-requests"
        assert [a.headers["RateLimit"].split(";")[1] for a in answers] == ["r=6", "r=2", "r=1"]
        assert int(answers[2].headers["Retry-After"]) >= 1
        assert ask(client, held.secret).status_code == 200, "for one search there is room still"


def test_what_costs_more_than_the_whole_limit_can_be_done_now_and_then() -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    assert limiter.hit("one", 10, cost=32).allowed
    refused = limiter.hit("one", 10, cost=32)
    assert not refused.allowed
    clock.now += refused.reset_s + 1e-6
    assert limiter.hit("one", 10, cost=32).allowed
