"""Cursors: where the next page of an answer begins, and in which ranking, signed so that nobody makes one up.

A cursor holds numbers only. Its signature also covers the request and the groups of whoever was answered: with another query, or in the
hands of somebody who may read something else, it is no cursor. It lets a page be read from a release that is not the live one any more,
which otherwise takes the scope `history`; so it lasts for a quarter of an hour.
"""

from __future__ import annotations

import base64
import hmac
import json
from datetime import timedelta
from typing import Final, NamedTuple

from search_index.errors import PlumblineError
from search_index.model.release import canonical_json, digest_of, now, signature_of
from search_index.model.search import DEEPEST, Principal, SearchRequest

LASTS: Final = timedelta(minutes=15)
NOT_PINNED: Final = {"cursor", "offset", "deadline_ms"}
"""What may differ from page to page."""


class CursorInvalid(PlumblineError):
    """It is no cursor of this request, for this principal."""

    slug = "cursor-invalid"
    status = 400


class CursorExpired(PlumblineError):
    """The page it leads to cannot be read any more."""

    slug = "cursor-expired"
    status = 410


class Pinned(NamedTuple):
    """Where a page begins: in what revision holds, as the release ``ranked_by`` ranks it."""

    revision: int
    ranked_by: int
    offset: int


def cursor_for(pinned: Pinned, request: SearchRequest, principal: Principal, key: bytes) -> str:
    """The cursor of a page.

    Args:
        key: the home's signing key.
    """
    text = json.dumps([*pinned, int((now() + LASTS).timestamp())], separators=(",", ":"))
    return f"{base64.urlsafe_b64encode(text.encode()).decode().rstrip('=')}.{_signature(text, request, principal, key)}"


def pinned_by(cursor: str, request: SearchRequest, principal: Principal, key: bytes) -> Pinned:
    """What a cursor says.

    Raises:
        CursorInvalid: it was not made for this request and these groups, or was altered.
        CursorExpired: it is too old.
    """
    encoded, _, signature = cursor.partition(".")
    try:
        text = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except ValueError:
        raise _invalid() from None
    if not hmac.compare_digest(_signature(text, request, principal, key).encode(), signature.encode("utf-8", "replace")):
        raise _invalid()
    revision, ranked_by, offset, until = json.loads(text)
    if now().timestamp() > until or offset >= DEEPEST:
        raise expired()
    return Pinned(revision, ranked_by, offset)


def expired() -> CursorExpired:
    """The error of a page that cannot be read any more."""
    return CursorExpired(
        "The page that the cursor leads to cannot be read any more: it is too old, or its release is no longer held.",
        "Search again without a cursor.",
    )


def _invalid() -> CursorInvalid:
    return CursorInvalid(
        "That is no cursor of this request.", "Send `next` of the answer before as it is, with the same request and the same credential."
    )


def _signature(text: str, request: SearchRequest, principal: Principal, key: bytes) -> str:
    asked = digest_of(request.model_dump(mode="json", exclude=NOT_PINNED))
    who = canonical_json([principal.tenant, sorted(principal.groups)])
    return signature_of(f"plumbline cursor\n{text}\n{asked}\n{who}", key)
