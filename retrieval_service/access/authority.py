"""From a request's headers to who asks. Fails closed: a credential that was sent and does not hold is never taken for none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, Protocol

from retrieval_service.access.caller import DEVELOPER, NOBODY, Caller, anonymous
from retrieval_service.access.exposure import is_loopback, is_name_of_this_machine
from retrieval_service.access.keyring import Keyring
from retrieval_service.access.refusals import AccessUnknown, Misdirected, Unauthorized
from search_index.settings import Settings

Headers = Sequence[tuple[bytes, bytes]]
Mode = Literal["keys", "anonymous", "development"]

LONGEST_CREDENTIAL: Final = 8192
_BEARER: Final = re.compile(r"(?i:bearer) +([A-Za-z0-9\-._~+/]+=*)")
"""RFC 6750: a scheme in any case, blanks, and a token of these characters alone."""
_KEY_PREFIX: Final = "plb_"


class Tokens(Protocol):
    """Takes the tokens of an issuer."""

    async def caller(self, token: str) -> Caller:
        """Whoever a token was issued to."""
        ...


class Authority:
    """Decides who asks. ``tokens`` is None where no issuer is set."""

    def __init__(self, settings: Settings, keyring: Keyring, tokens: Tokens | None) -> None:
        self._settings = settings
        self._keyring = keyring
        self._tokens = tokens
        self._loopback = is_loopback(settings.host)

    def mode(self) -> Mode:
        """What holds for those who send no credential.

        ``keys``: they are refused, since there is a key or an issuer. ``anonymous``: they may search what ``everyone`` may read, because
        settings say so. ``development``: there are neither keys nor an issuer, and only this machine can ask; whoever does may do all.

        Errors:
            AccessUnknown: the keys cannot be read, so it cannot be told.
        """
        if self._settings.allow_anonymous:
            return "anonymous"
        if self._tokens is not None or self._keyring.known().keys or not self._loopback:
            return "keys"
        return "development"

    async def caller(self, headers: Headers, address: str) -> Caller:
        """Who asks.

        Errors:
            Unauthorized: no credential was sent where one is needed, or it is not valid.
            AccessUnknown: the keys cannot be read, or the issuer cannot be reached.
            Misdirected: there are no keys, and the request was not meant for this machine.
        """
        credential = credential_of(headers)
        if credential is None:
            return self._without(headers, address)
        if credential.startswith(_KEY_PREFIX) or self._tokens is None:
            return self._keyring.caller(credential)
        return await self._tokens.caller(credential)

    async def caller_or_nobody(self, headers: Headers, address: str) -> Caller:
        """Who asks where nobody has to say it. A credential that was sent has to be valid all the same."""
        if credential_of(headers) is not None:
            return await self.caller(headers, address)
        try:
            return self._without(headers, address)
        except (Unauthorized, AccessUnknown, Misdirected):
            return NOBODY

    def _without(self, headers: Headers, address: str) -> Caller:
        match self.mode():
            case "anonymous":
                return anonymous(address)
            case "development":
                _check_host(headers)
                return DEVELOPER
            case "keys":
                raise Unauthorized("missing")


def credential_of(headers: Headers) -> str | None:
    """The token of the one header ``Authorization: Bearer``, None where there is no such header.

    Errors:
        Unauthorized: there are two, or it is of another form.
    """
    sent = [value for name, value in headers if name == b"authorization"]
    if not sent:
        return None
    if len(sent) > 1 or len(sent[0]) > LONGEST_CREDENTIAL:  # two readers of two headers may each believe another one
        raise Unauthorized("malformed")
    found = _BEARER.fullmatch(sent[0].decode("latin-1"))
    if found is None:
        raise Unauthorized("malformed")
    return found[1]


def _check_host(headers: Headers) -> None:
    for host in (value.decode("latin-1") for name, value in headers if name == b"host"):
        if not is_name_of_this_machine(host):
            raise Misdirected(
                "host",
                "Without keys the service answers to names of this machine only, and the request was for another.",
                "Make a key with `plumbline keys create NAME --scope search`, or ask http://127.0.0.1.",
            )
