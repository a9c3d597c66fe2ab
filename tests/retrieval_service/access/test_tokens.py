"""Tokens of a real issuer on loopback: taken when everything about them holds, and never otherwise."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
import json
from collections.abc import Iterator
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi.testclient import TestClient

from retrieval_service.access.issuer import (
    ASK_AGAIN_AFTER_S,
    FRESH_FOR_S,
    KEPT_FOR_S,
    LARGEST_ANSWER,
    IssuerKeys,
    IssuerUnreachable,
    fetch_json,
    is_safe,
)
from retrieval_service.access.refusals import AccessUnknown, Unauthorized
from retrieval_service.access.tokens import IssuedTokens
from retrieval_service.telemetry import Telemetry
from search_index.errors import WrongUsage
from search_index.settings import Settings
from tests.retrieval_service.access.conftest import Services, ask, issue, problem
from tests.retrieval_service.access.issuer import AUDIENCE, Issuer
from tests.retrieval_service.fakes import Passage


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.stop()


@pytest.fixture
def client(services: Services, issuer: Issuer) -> Iterator[TestClient]:
    """A service that takes the issuer's tokens, and has no key of its own."""
    with services.client(oidc_issuer=issuer.url, oidc_audience=AUDIENCE) as made:
        yield made


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_token_lets_in_with_its_groups_and_scopes(client: TestClient, services: Services, issuer: Issuer) -> None:
    services.index.passages.append(Passage("A release for the board.", path="b.md", groups=frozenset({"board"}), chunk_id="6" * 8))
    assert ask(client).status_code == 401
    plain = ask(client, issuer.token())
    assert (plain.status_code, len(plain.json()["hits"])) == (200, 1)
    assert len(ask(client, issuer.token({"groups": ["board", "*", "", 7]})).json()["hits"]) == 2
    assert len(ask(client, issuer.token({"groups": "board"})).json()["hits"]) == 2
    answer = ask(client, issuer.token({"scope": "openid profile"}))
    assert (answer.status_code, problem(answer)) == (403, "forbidden")
    assert ask(client, issuer.token({"scope": ["search", 3]})).status_code == 200
    assert "jane" not in services.log.getvalue()


def test_a_group_that_cannot_be_one_is_left_out(issuer: Issuer) -> None:
    tokens = IssuedTokens(Settings(oidc_issuer=issuer.url, oidc_audience=AUDIENCE), Telemetry(io.StringIO()))
    token = issuer.token({"groups": ["board", "*", "", "a,b", " x", "y\n", 7, None, {"board": 1}], "scope": "search root admins"})
    principal = asyncio.run(tokens.caller(token)).principal
    assert principal.groups == {"board", "everyone"}
    assert principal.scopes == {"search"}


def test_a_token_is_of_the_tenant_that_its_claim_names_or_of_none(issuer: Issuer) -> None:
    plain = Settings(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    tokens = IssuedTokens(plain, Telemetry(io.StringIO()))
    assert asyncio.run(tokens.caller(issuer.token({"org": "north"}))).principal.tenant == "default"
    tokens = IssuedTokens(plain.model_copy(update={"oidc_tenant_claim": "org"}), Telemetry(io.StringIO()))
    assert asyncio.run(tokens.caller(issuer.token({"org": "north"}))).principal.tenant == "north"
    for wrong in (None, "", "North", "a" * 65, ["north"], {"north": 1}, 7, "north\n"):
        with pytest.raises(Unauthorized) as refused:
            asyncio.run(tokens.caller(issuer.token({"org": wrong})))
        assert refused.value.reason == "token_tenant"


def test_claims_may_have_other_names_and_groups_a_prefix(services: Services, issuer: Issuer) -> None:
    services.index.passages.append(Passage("A release for the board.", path="b.md", groups=frozenset({"sso:board"}), chunk_id="6" * 8))
    names = {"oidc_groups_claim": "https://example.org/roles", "oidc_scopes_claim": "scp", "oidc_groups_prefix": "sso:"}
    with services.client(oidc_issuer=issuer.url, oidc_audience=AUDIENCE, **names) as client:
        answer = ask(client, issuer.token({"https://example.org/roles": ["board"], "scp": "search", "scope": None}))
        assert len(answer.json()["hits"]) == 2


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"}, {"iss": None}, {"aud": "another"}, {"aud": None}, {"aud": []},
        {"aud": {"plumbline-test": 1}}, {"exp": 1}, {"exp": None}, {"exp": timedelta(seconds=-60)}, {"exp": "soon"}, {"exp": 1e400},
        {"nbf": timedelta(seconds=600)}, {"iat": timedelta(seconds=600)}, {"sub": None}, {"sub": ""}, {"sub": 7},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_with_a_wrong_claim_is_refused(client: TestClient, issuer: Issuer, claims: dict[str, object]) -> None:
    answer = ask(client, issuer.token(claims))
    assert (answer.status_code, problem(answer)) == (401, "unauthorized")


@pytest.mark.parametrize(
    "claims", [{"exp": timedelta(seconds=-1)}, {"nbf": timedelta(seconds=20)}, {"nbf": None}, {"aud": ["x", AUDIENCE]}], ids=str
)
def test_a_clock_may_be_off_by_seconds_and_an_audience_be_one_of_several(
    client: TestClient, issuer: Issuer, claims: dict[str, object]
) -> None:
    assert ask(client, issuer.token(claims)).status_code == 200


def test_a_forged_token_is_refused(client: TestClient, issuer: Issuer) -> None:
    good = issuer.token()
    header, payload, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    key = issuer.keys["first"]
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def with_public_key_as_secret(algorithm: str, hash: str) -> str:
        signed = f"{encoded({'alg': algorithm, 'kid': 'first', 'typ': 'JWT'})}.{payload}"
        mac = hmac.new(pem, signed.encode(), getattr(hashlib, hash)).digest()
        return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    stranger = rsa.generate_private_key(65537, 2048)
    its_own = jwt.algorithms.RSAAlgorithm.to_jwk(stranger.public_key(), as_dict=True)
    forged = [
        f"{encoded({'alg': 'none', 'kid': 'first'})}.{payload}.",
        f"{encoded({'alg': 'None', 'kid': 'first'})}.{payload}.{signature}",
        f"{encoded({'alg': '', 'kid': 'first'})}.{payload}.{signature}",
        f"{encoded({'kid': 'first'})}.{payload}.{signature}",
        f"{encoded({'alg': ['RS256'], 'kid': 'first'})}.{payload}.{signature}",
        f"{encoded({'alg': 'RS256', 'kid': ['first']})}.{payload}.{signature}",
        f"{encoded(['RS256'])}.{payload}.{signature}",
        with_public_key_as_secret("HS256", "sha256"),
        with_public_key_as_secret("HS512", "sha512"),
        jwt.encode(claims, stranger, "RS256", headers={"kid": "first"}),
        jwt.encode(claims, stranger, "RS256", headers={"kid": "first", "jwk": its_own}),
        jwt.encode(claims, stranger, "RS256", headers={"kid": "first", "jku": f"{issuer.url}/evil"}),
        jwt.encode(claims, key, "PS256", headers={"kid": "first"}),
        jwt.encode(claims, key, "RS256"),
        jwt.encode(claims, key, "RS256", headers={"kid": "first", "crit": ["x"], "x": 1}),
        f"{header}.{encoded({**claims, 'scope': 'admin'})}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        good + ".x",
        good[:-2],
    ]  # fmt: skip
    assert [ask(client, token).status_code for token in forged] == [401] * len(forged)
    assert "/evil" not in issuer.asked
    assert ask(client, good).status_code == 200


@pytest.mark.parametrize(
    "kid", ["../../etc/passwd", "/dev/null", "' or 1=1 --", "first\x00", "http://127.0.0.1/x", "first/../first", "x" * 3000]
)
def test_a_key_id_is_a_name_and_nothing_else(client: TestClient, issuer: Issuer, kid: str) -> None:
    assert ask(client, issuer.token(header={"kid": kid})).status_code == 401
    assert set(issuer.asked) <= {"/.well-known/openid-configuration", "/jwks"}


def test_a_symmetric_private_or_encrypting_key_in_the_jwks_is_not_used(client: TestClient, issuer: Issuer) -> None:
    secret = b"s" * 32
    rogue = rsa.generate_private_key(65537, 2048)
    issuer.extra_keys = [
        {"kty": "oct", "kid": "oct", "alg": "HS256", "k": base64.urlsafe_b64encode(secret).decode().rstrip("=")},
        {**jwt.algorithms.RSAAlgorithm.to_jwk(rogue.public_key(), as_dict=True), "kid": "enc", "use": "enc"},
        {**jwt.algorithms.RSAAlgorithm.to_jwk(rogue, as_dict=True), "kid": "private"},
        {"kty": "RSA", "kid": "torn"},
    ]
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    tokens = [jwt.encode(claims, secret, "HS256", headers={"kid": "oct"})]
    tokens += [jwt.encode(claims, rogue, "RS256", headers={"kid": kid}) for kid in ("enc", "private", "torn")]
    assert [ask(client, token).status_code for token in tokens] == [401] * 4
    assert ask(client, issuer.token()).status_code == 200


def test_keys_work_beside_tokens_and_without_the_issuer(services: Services, issuer: Issuer) -> None:
    held = issue(services.index)
    url, token = issuer.url, issuer.token()
    with services.client(oidc_issuer=url, oidc_audience=AUDIENCE) as client:
        issuer.stop()
        assert ask(client, held.secret).status_code == 200
        answer = ask(client, token)
        assert (answer.status_code, problem(answer)) == (503, "access-unknown")
        assert ask(client).status_code == 401


def test_a_token_of_an_issuer_that_is_not_set_is_refused(keyed: TestClient, issuer: Issuer) -> None:
    assert ask(keyed, issuer.token()).status_code == 401
    assert issuer.asked == []


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"oidc_issuer": "http://sso.example.org", "oidc_audience": "x"}, "PLUMBLINE_OIDC_ISSUER"),
        ({"oidc_issuer": "file:///etc/passwd", "oidc_audience": "x"}, "PLUMBLINE_OIDC_ISSUER"),
        ({"oidc_issuer": "https://sso.example.org"}, "PLUMBLINE_OIDC_AUDIENCE"),
    ],
)
def test_settings_under_which_tokens_could_be_forged_are_refused(services: Services, settings: dict[str, str], names: str) -> None:
    with pytest.raises(WrongUsage, match=names):
        services.client(**settings)


def test_what_is_safe_to_ask() -> None:
    assert is_safe("https://sso.example.org/x") and is_safe("http://127.0.0.1:9/") and is_safe("http://[::1]/")
    for address in (
        "http://sso.example.org",
        "ftp://127.0.0.1",
        "//x",
        "",
        "https://",
        "http://127.0.0.1.example.org",
        "http://[",
        "javascript:1",
    ):
        assert not is_safe(address), address


class Asked:
    """The keys of an issuer at a clock that the test moves."""

    def __init__(self, issuer: Issuer) -> None:
        self.now = 0.0
        self.issuer = issuer
        self.keys = IssuerKeys(issuer.url, Telemetry(io.StringIO()), clock=lambda: self.now)

    @property
    def fetches(self) -> int:
        return self.issuer.asked.count("/jwks")


def test_unknown_key_ids_have_the_issuer_asked_once_in_a_while(issuer: Issuer) -> None:
    asked = Asked(issuer)

    async def run() -> None:
        found = await asyncio.gather(*(asked.keys.key(f"garbage-{i}") for i in range(50)), return_exceptions=True)
        assert all(isinstance(e, Unauthorized) for e in found)
        assert asked.fetches == 1
        issuer.rotate("second")
        for _ in range(20):
            with pytest.raises(Unauthorized):
                await asked.keys.key("second")
        assert asked.fetches == 1
        asked.now += ASK_AGAIN_AFTER_S
        assert (await asked.keys.key("second")).key_id == "second"
        assert asked.fetches == 2
        with pytest.raises(Unauthorized):
            await asked.keys.key("first")

    asyncio.run(run())


def test_a_key_that_the_issuer_took_back_stops_working(issuer: Issuer) -> None:
    asked = Asked(issuer)

    async def run() -> None:
        await asked.keys.key("first")
        issuer.rotate("second", elliptic=True)
        asked.now += FRESH_FOR_S + 1
        await asked.keys.key("first")  # answers at once, and has the keys fetched beside it
        for _ in range(200):
            if asked.fetches == 2:
                break
            await asyncio.sleep(0.01)
        await asked.keys.key("second")
        with pytest.raises(Unauthorized):
            await asked.keys.key("first")

    asyncio.run(run())


def test_an_issuer_that_is_down_leaves_known_keys_working_for_a_day(issuer: Issuer) -> None:
    asked = Asked(issuer)

    async def run() -> None:
        await asked.keys.key("first")
        issuer.answers["/.well-known/openid-configuration"] = (500, {}, b"")
        asked.now += KEPT_FOR_S
        await asked.keys.key("first")
        await asyncio.sleep(0.1)
        with pytest.raises(AccessUnknown):
            await asked.keys.key("another")
        asked.now += 1
        with pytest.raises(AccessUnknown):
            await asked.keys.key("first")

    asyncio.run(run())


@pytest.mark.parametrize(
    "answer",
    [
        (302, {"Location": "http://127.0.0.1:1/"}, b""), (200, {}, b'"' + b"x" * LARGEST_ANSWER + b'"'), (200, {}, b"[" * 100_000),
        (200, {}, b"\xff"),         (200, {"Content-Encoding": "gzip"}, b""), (200, {}, b""), (404, {}, b"{}"),
    ],
    ids=["redirect", "large", "deep", "binary", "compressed", "empty", "missing"],
)  # fmt: skip
def test_an_answer_that_is_none_is_not_believed(issuer: Issuer, answer: tuple[int, dict[str, str], bytes]) -> None:
    issuer.answers["/jwks"] = answer
    with pytest.raises(IssuerUnreachable):
        asyncio.run(fetch_json(f"{issuer.url}/jwks"))


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example", "jwks_uri": "{url}/jwks"},
        {"issuer": "{url}", "jwks_uri": "http://10.0.0.1/jwks"},
        {"issuer": "{url}"},
        [],
    ],
)
def test_a_discovery_document_of_somebody_else_is_not_believed(issuer: Issuer, document: object) -> None:
    issuer.answers["/.well-known/openid-configuration"] = (200, {}, json.dumps(document).replace("{url}", issuer.url).encode())
    with pytest.raises(AccessUnknown):
        asyncio.run(Asked(issuer).keys.key("first"))
