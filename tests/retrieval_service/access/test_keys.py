"""What a service does with keys: lets in who holds one, and nobody else, whatever is sent and whatever breaks."""

from __future__ import annotations

import io
import json
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from retrieval_service.access.keyring import GOOD_FOR_S, Keyring
from retrieval_service.access.refusals import AccessUnknown, Unauthorized
from retrieval_service.telemetry import Telemetry
from search_index.errors import HomeDamaged
from search_index.home import Home
from search_index.model.keys import new_secret
from tests.retrieval_service.access.conftest import Services, ask, bearer, issue, issue_expired, metric, problem
from tests.retrieval_service.fakes import FakeIndex, Passage, search_body, wait_until


def revoke(index: FakeIndex, id: str) -> None:
    catalog = index.home.catalog
    catalog.revoke_key(id, "tester")
    catalog.close()


def test_a_key_lets_in_and_no_key_does_not(keyed: TestClient, admin: str) -> None:
    assert ask(keyed, admin).status_code == 200
    answer = ask(keyed)
    assert (answer.status_code, problem(answer)) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_unknown_malformed_expired_and_revoked_are_one_answer_and_told_apart_in_log_and_metric(services: Services, admin: str) -> None:
    expired, revoked = issue_expired(services.index), issue(services.index)
    revoke(services.index, revoked.key.id)
    wrong = {
        "expired": expired.secret,
        "revoked": revoked.secret,
        "unknown": new_secret("0123456789"),
        "malformed": "plb_short",
    }
    with services.client() as client:
        answers = {reason: ask(client, secret) for reason, secret in wrong.items()}
        counted = {reason: metric(client, admin, f'plumbline_refused_requests_total{{reason="{reason}"}}') for reason in wrong}
    bodies = {json.dumps({k: v for k, v in a.json().items() if k != "request_id"}) for a in answers.values()}
    assert {a.status_code for a in answers.values()} == {401} and len(bodies) == 1
    assert {a.headers["WWW-Authenticate"] for a in answers.values()} == {'Bearer realm="plumbline"'}
    assert counted == dict.fromkeys(wrong, 1.0)
    logged = [json.loads(line) for line in services.log.getvalue().splitlines()]
    assert sorted(line["reason"] for line in logged if line["event"] == "refused") == sorted(wrong)


def test_a_right_id_with_a_wrong_secret_is_unknown(services: Services, admin: str) -> None:
    right = issue(services.index)
    with services.client() as client:
        assert ask(client, new_secret(right.key.id)).status_code == 401
        assert ask(client, right.secret[:-1] + ("A" if right.secret[-1] != "A" else "B")).status_code == 401
        assert ask(client, right.secret).status_code == 200


def test_no_secret_is_ever_logged_or_stored(services: Services, admin: str) -> None:
    held = issue(services.index)
    with services.client() as client:
        ask(client, held.secret)
        ask(client, held.secret + "x")
        client.get(f"/v1/nothing/{'x' * 9}", headers=bearer(held.secret))
        seen = client.get("/metrics", headers=bearer(admin)).text
    catalog = b"".join(path.read_bytes() for path in services.index.settings.root.glob("catalog.db*"))
    for secret in (held.secret, admin):
        random_part = secret.split("_", 2)[2]
        assert random_part not in services.log.getvalue() + seen
        assert random_part.encode() not in catalog
    assert f'"who": "key:{held.key.id}"' in services.log.getvalue()


def test_a_first_key_ends_development_mode_within_a_second(services: Services) -> None:
    with services.client() as client:
        assert ask(client).status_code == 200
        assert client.get("/health/ready").json()["access"] == "development"
        held = issue(services.index)
        wait_until(lambda: ask(client).status_code == 401, "still in development mode")
        assert ask(client, held.secret).status_code == 200
        assert client.get("/health/ready").json()["access"] == "keys"


def test_a_revoked_key_is_refused_within_a_second_and_that_it_was_the_last_opens_nothing(services: Services) -> None:
    held = issue(services.index)
    with services.client() as client:
        assert ask(client, held.secret).status_code == 200
        revoke(services.index, held.key.id)
        wait_until(lambda: ask(client, held.secret).status_code == 401, "still let in")
        assert ask(client).status_code == 401


def test_an_expired_key_alone_keeps_the_service_closed(services: Services) -> None:
    issue_expired(services.index)
    with services.client() as client:
        assert ask(client).status_code == 401


def test_a_rotated_key_has_two_secrets_for_the_overlap(services: Services) -> None:
    first = issue(services.index)
    catalog = services.index.home.catalog
    second = catalog.rotate_key(first.key.id, timedelta(hours=1))
    with services.client() as client:
        assert [ask(client, s).status_code for s in (first.secret, second.secret)] == [200, 200]
        third = catalog.rotate_key(first.key.id, timedelta(0))
        wait_until(lambda: ask(client, third.secret).status_code == 200, "the new secret does not work")
        assert {ask(client, s).status_code for s in (first.secret, second.secret)} <= {401, 429}
    catalog.close()


def test_a_key_reads_as_its_groups_and_as_everyone(services: Services) -> None:
    services.index.passages.append(Passage("A release for the board.", path="b.md", groups=frozenset({"board"}), chunk_id="6" * 8))
    board, other = issue(services.index, groups=["board"]), issue(services.index, groups=["boar"])
    with services.client() as client:
        assert len(ask(client, board.secret).json()["hits"]) == 2
        assert len(ask(client, other.secret).json()["hits"]) == 1


def test_a_key_that_somebody_wrote_into_the_catalog_opens_nothing(services: Services, admin: str) -> None:
    held = issue(services.index, ["search"])
    with sqlite3.connect(services.index.settings.root / "catalog.db") as connection:
        connection.execute("update api_keys set body = replace(body, '\"search\"', '\"admin\"') where id = ?", (held.key.id,))
    connection.close()
    with services.client() as client:
        assert ask(client, held.secret).status_code == 401
        assert metric(client, admin, 'plumbline_refused_requests_total{reason="altered"}') == 1


def test_when_a_key_was_used_is_noted(services: Services) -> None:
    held, idle = issue(services.index), issue(services.index)
    with services.client() as client:
        ask(client, held.secret)
    used = {key.id: key.last_used_at for key in services.index.home.catalog.api_keys()}
    assert used[held.key.id] is not None
    assert used[idle.key.id] is None


@pytest.mark.parametrize(
    "sent",
    [
        b"", b"Bearer", b"Bearer ", b"{key}", b"Basic {key}", b"Bearer {key} ", b" Bearer {key}", b"Bearer\t{key}", b"Bearer {key}\x00",
        b"Bearer {key},Bearer {key}", b"Bearer {key} {key}", b"Bearer plb_\xc3\xa9", b"Bearer {KEY}", b"Bearer " + b"a" * 100_000,
        b"Bearer null", b"Bearer ..", b"Bearer a.b.c", b"Digest {key}", b"BearerX {key}",
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_bearer_is_refused_and_not_taken_for_nothing(keyed: TestClient, admin: str, sent: bytes) -> None:
    value = sent.replace(b"{key}", admin.encode()).replace(b"{KEY}", admin.upper().encode())
    answer = keyed.post("/v1/search", json=search_body(), headers=[(b"Authorization", value)])
    assert (answer.status_code, problem(answer)) == (401, "unauthorized")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
def test_the_scheme_may_be_in_any_case(keyed: TestClient, admin: str, scheme: str) -> None:
    assert ask(keyed, Authorization=f"{scheme} {admin}").status_code == 200


def test_two_headers_are_refused_though_one_is_right(keyed: TestClient, admin: str) -> None:
    right, wrong = (b"authorization", f"Bearer {admin}".encode()), (b"authorization", b"Bearer x")
    for headers in ([right, wrong], [wrong, right], [right, right]):
        assert keyed.post("/v1/search", json=search_body(), headers=headers).status_code == 401


def test_a_key_in_the_address_or_another_header_is_none(keyed: TestClient, admin: str) -> None:
    for headers in ({"X-Api-Key": admin}, {"Cookie": f"authorization=Bearer {admin}"}, {"Proxy-Authorization": f"Bearer {admin}"}):
        assert keyed.post(f"/v1/search?access_token={admin}", json=search_body(), headers=headers).status_code == 401


def test_a_wrong_key_is_refused_in_development_mode_too(services: Services) -> None:
    with services.client() as client:
        assert ask(client, "plb_nonsense").status_code == 401
        assert ask(client).status_code == 200


def test_where_anonymous_is_allowed_a_wrong_key_is_refused_and_none_may_search_only(services: Services, admin: str) -> None:
    with services.client(host="0.0.0.0", allow_anonymous=True) as client:
        assert ask(client).status_code == 200
        assert ask(client, "plb_nonsense").status_code == 401
        assert problem(client.get("/v1/releases")) == "forbidden"
        assert client.get("/v1/releases", headers=bearer(admin)).status_code == 200
        assert client.get("/health/ready").json()["access"] == "anonymous"


def test_health_says_more_to_those_who_may_know_more(services: Services, admin: str) -> None:
    catalog = services.index.home.catalog
    catalog.freeze("somebody", "moving house")
    catalog.close()
    with services.client() as client:
        assert client.get("/health/ready", headers=bearer(admin)).json()["frozen"]["actor"] == "somebody"
        stranger = client.get("/health/ready")
        assert stranger.status_code == 200
        assert stranger.json()["frozen"] is None
        assert "moving house" not in stranger.text
        assert client.get("/health/ready", headers=bearer("plb_nonsense")).status_code == 401


class Broken:
    """A home whose catalog can be made unreadable."""

    def __init__(self, index: FakeIndex) -> None:
        self.now = 1000.0
        self.works = True
        self._catalog = index.home.catalog
        self.keyring = Keyring(index.settings, Telemetry(io.StringIO()), lambda _: self, lambda: self.now)  # type: ignore[arg-type, return-value]

    @property
    def catalog(self) -> Broken:
        return self

    def api_keys(self) -> object:
        if not self.works:
            raise HomeDamaged("The catalog cannot be read.", "")
        return self._catalog.api_keys()


def test_keys_that_were_known_work_for_a_minute_when_the_catalog_cannot_be_read(index: FakeIndex) -> None:
    held = issue(index)
    home = Broken(index)
    with pytest.raises(AccessUnknown):
        home.keyring.caller(held.secret)
    home.keyring.look()
    home.works = False
    with pytest.raises(HomeDamaged):
        home.keyring.look()
    home.now += GOOD_FOR_S
    assert home.keyring.caller(held.secret).who == f"key:{held.key.id}"
    with pytest.raises(Unauthorized):
        home.keyring.caller(new_secret("0123456789"))
    home.now += 0.1
    with pytest.raises(AccessUnknown):
        home.keyring.caller(held.secret)
    with pytest.raises(AccessUnknown):
        home.keyring.known()


def test_a_service_that_never_read_the_keys_lets_nobody_in(services: Services, admin: str) -> None:
    (services.index.settings.root / "catalog.db").write_bytes(b"no database at all " * 100)
    for path in services.index.settings.root.glob("catalog.db-*"):
        path.unlink()
    with services.client() as client:
        for answer in (ask(client), ask(client, admin), client.get("/v1/releases"), client.get("/metrics")):
            assert (answer.status_code, problem(answer)) == (503, "access-unknown")
            assert answer.headers["Retry-After"] == "1"
        assert client.get("/health/live").status_code == 200
    assert "database" not in [json.loads(line).get("what", "") for line in services.log.getvalue().splitlines()]


def test_a_home_is_not_opened_before_its_keys_are_read(services: Services, admin: str, tmp_path: Path) -> None:
    """A home that appears while the service runs, as a volume does, is never for a moment one without keys."""
    from retrieval_service.access.lock import Lock

    opened: list[int] = []

    def open_home(settings: object) -> Home:
        opened.append(lock.keyring.count)
        return services.index.home

    lock = Lock(services.index.settings, Telemetry(io.StringIO()), open_home)
    lock.open_home(services.index.settings)
    assert opened == [0, 1], "first for the keys, and then, with a key known, for everything else"
    lock.keyring.stop()
