"""Keys in the catalog: what is kept of a secret, what rotation and revocation leave, and what an edited row is worth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from search_index.catalog import Catalog
from search_index.errors import HomeDamaged, NotFound, WrongUsage
from search_index.model.keys import ApiKey, KeyTerms, is_group, key_id_of, new_key_id, new_secret
from search_index.model.release import now
from tests.search_index.test_catalog import edit

SIGNING_KEY = b"k" * 32


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    made = Catalog.open(catalog_url, lambda: SIGNING_KEY)
    yield made
    made.close()


def terms(**changed: object) -> KeyTerms:
    return KeyTerms.model_validate({"name": "page", "scopes": ["search"], **changed})


def test_a_secret_has_256_bits_and_names_its_key() -> None:
    id = new_key_id()
    secrets = {new_secret(id) for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch(rf"plb_{id}_[\w-]{{43}}", secret) and key_id_of(secret) == id for secret in secrets)
    assert [key_id_of(other) for other in ("", "plb_", f"plb_{id}_short", f"PLB_{id}_{'a' * 43}", f"plb_{id}_{'a' * 43}\n")] == [None] * 5


def test_only_the_digest_of_a_secret_is_kept(tmp_path: Path) -> None:
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}", lambda: SIGNING_KEY)
    issued = catalog.create_key(terms(groups=["board", "everyone", "board"]), "tester")
    assert catalog.api_keys() == [issued.key]
    assert issued.key.groups == ["board"]
    assert issued.secret not in repr(issued)
    catalog.close()
    assert issued.secret.rsplit("_", 1)[1].encode() not in b"".join(p.read_bytes() for p in tmp_path.iterdir())


def test_a_key_opens_with_its_secret_until_it_expires_or_is_revoked(catalog: Catalog) -> None:
    issued = catalog.create_key(terms(expires_at=now() + timedelta(hours=1)), "tester")
    at = now()
    assert issued.key.proven_by(issued.secret, at) and not issued.key.proven_by(issued.secret + "x", at)
    assert issued.key.state(at) == "active"
    assert issued.key.state(at + timedelta(hours=1)) == "expired"
    revoked = catalog.revoke_key(issued.key.id, "somebody")
    assert (revoked.state(now()), revoked.revoked_by) == ("revoked", "somebody")
    assert catalog.revoke_key(issued.key.id, "another") == revoked


def test_rotation_keeps_the_old_secret_for_the_overlap_and_only_one(catalog: Catalog) -> None:
    first = catalog.create_key(terms(), "tester")
    second = catalog.rotate_key(first.key.id, timedelta(hours=1))
    at = now()
    assert second.key.proven_by(first.secret, at) and second.key.proven_by(second.secret, at)
    assert not second.key.proven_by(first.secret, at + timedelta(hours=1))
    third = catalog.rotate_key(first.key.id, timedelta(hours=1))
    assert [third.key.proven_by(s.secret, at) for s in (first, second, third)] == [False, True, True]
    last = catalog.rotate_key(first.key.id, timedelta(0))
    assert [last.key.proven_by(s.secret, at) for s in (first, second, third, last)] == [False, False, False, True]
    assert (last.key.scopes, last.key.created_at) == (first.key.scopes, first.key.created_at)


def test_what_opens_nothing_is_not_rotated(catalog: Catalog, catalog_url: str) -> None:
    issued = catalog.create_key(terms(), "tester")
    catalog.revoke_key(issued.key.id, "tester")
    with pytest.raises(WrongUsage, match="revoked"):
        catalog.rotate_key(issued.key.id, timedelta(0))
    edited = catalog.create_key(terms(), "tester")
    edit(catalog_url, f"update api_keys set signature = '' where id = '{edited.key.id}'")
    with pytest.raises(WrongUsage, match="altered"):
        catalog.rotate_key(edited.key.id, timedelta(0))
    with pytest.raises(NotFound):
        catalog.rotate_key("0123456789", timedelta(0))


@pytest.mark.parametrize(
    "statement",
    [
        "update api_keys set body = replace(body, '\"search\"', '\"admin\"')",
        'update api_keys set body = replace(body, \'"groups":[]\', \'"groups":["board"]\')',
        'update api_keys set body = replace(body, \'"expires_at":"2\', \'"expires_at":"3\')',  # a thousand years more
        "update api_keys set body = '{}'",
        "update api_keys set id = 'ffffffffff'",
        "insert into api_keys (id, body, signature, at) select '0000000000', replace(body, id, '0000000000'), signature, at from api_keys",
    ],
)
def test_a_row_that_was_not_signed_opens_nothing(catalog: Catalog, catalog_url: str, statement: str) -> None:
    catalog.create_key(terms(expires_at=now() + timedelta(hours=1)), "tester")
    edit(catalog_url, statement)
    assert catalog.api_keys()[-1].state(now()) == "altered" or catalog.api_keys()[0].state(now()) == "altered"


def test_clearing_the_column_brings_no_revoked_key_back(catalog: Catalog, catalog_url: str) -> None:
    issued = catalog.create_key(terms(), "tester")
    catalog.revoke_key(issued.key.id, "tester")
    edit(catalog_url, "update api_keys set revoked_at = null, revoked_by = null")
    assert catalog.api_key(issued.key.id).state(now()) == "altered"


def test_a_signing_key_from_elsewhere_makes_every_key_worthless(catalog: Catalog, catalog_url: str) -> None:
    catalog.create_key(terms(), "tester")
    other = Catalog.open(catalog_url, lambda: b"another")
    assert [key.state(now()) for key in other.api_keys()] == ["altered"]
    other.close()


def test_a_catalog_opened_for_looking_makes_no_keys(catalog_url: str) -> None:
    looking = Catalog.open(catalog_url)
    with pytest.raises(HomeDamaged):
        looking.create_key(terms(), "tester")
    looking.close()


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"name": " "}, "name"), ({"name": "a\nb"}, "name"), ({"scopes": []}, "scope"), ({"scopes": ["search", "root"]}, "root"),
        ({"groups": ["*"]}, r"\*"), ({"groups": [""]}, "group"), ({"groups": ["a,b"]}, "a,b"), ({"groups": [" a"]}, "group"),
        ({"groups": ["a\x00"]}, "group"), ({"expires_at": now()}, "expired"), ({"requests_per_minute": -1}, "negative"),
    ],
)  # fmt: skip
def test_a_key_that_cannot_be_is_refused(catalog: Catalog, changed: dict[str, object], names: str) -> None:
    with pytest.raises(WrongUsage, match=names):
        catalog.create_key(terms(**changed), "tester")
    assert catalog.api_keys() == []


def test_groups_are_named_as_contracts_name_them() -> None:
    assert all(is_group(name) for name in ("board", "sso:Board Members", "räte", "a/b@c"))
    assert not any(is_group(name) for name in ("*", "bo*rd", "", "a,b", "a ", "a\tb", "x" * 201))


def test_uses_are_noted_and_do_not_touch_the_signature(catalog: Catalog) -> None:
    one, other = catalog.create_key(terms(), "tester"), catalog.create_key(terms(), "tester")
    at = now()
    catalog.note_key_uses({one.key.id: at - timedelta(minutes=1)})
    catalog.note_key_uses({one.key.id: at})
    catalog.note_key_uses({})
    found: dict[str, ApiKey] = {key.id: key for key in catalog.api_keys()}
    assert (found[one.key.id].last_used_at, found[other.key.id].last_used_at) == (at, None)
    assert found[one.key.id].state(at) == "active"


def test_a_catalog_from_before_there_were_keys_gets_their_tables(catalog_url: str) -> None:
    Catalog.open(catalog_url).close()
    edit(catalog_url, "drop table api_keys")
    edit(catalog_url, "drop table api_key_uses")
    edit(catalog_url, "update alembic_version set version_num = '0100'")
    opened = Catalog.open(catalog_url, lambda: SIGNING_KEY)
    assert opened.api_keys() == []
    assert opened.create_key(terms(), "tester").key in opened.api_keys()
    opened.close()
