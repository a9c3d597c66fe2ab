"""Alerts to people: a signed JSON POST to each webhook when a release went live or did not, or when a source is held, stale or adrift.

An alert says names, counts, ids, links and what to do; it never holds text of a document. The format and the signature are
those of the Standard Webhooks specification, so that a receiver can check them with a library.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict
from pydantic import JsonValue as Json

from search_index.model.release import now
from search_index.settings import Settings

if TYPE_CHECKING:
    import httpx

AlertKind = Literal[
    "published", "held", "refused", "failed", "stale", "fresh", "drift", "rolled_back", "frozen", "overridden", "resumed", "probe"
]  # fmt: skip
BUDGET_S = 4.0
"""What a run spends at most on delivering; what is not delivered by then is delivered later."""
_TIMEOUT_S = 2.0
KEPT_S = 7 * 86_400
KEPT_MOST = 1000


class Alert(BaseModel):
    """One thing people should know.

    ``what`` is a sentence, ``remedy`` what to do about it (empty when nothing is), ``facts`` counts and ids, ``link`` where to look.
    """

    model_config = ConfigDict(frozen=True)

    kind: AlertKind
    subject: str
    what: str
    remedy: str = ""
    facts: dict[str, Json] = {}
    link: str = ""


class Undelivered(BaseModel):
    """An alert that waits to be delivered to one address. ``error`` says why the last attempt failed."""

    model_config = ConfigDict(frozen=True)

    id: str
    url: str
    at: str
    body: str
    error: str = ""


def send(settings: Settings, alerts: list[Alert], log: Callable[[str], None]) -> int:
    """Put alerts in the outbox and deliver what it holds, within ``BUDGET_S`` seconds.

    It never raises for an address that does not answer: that is logged, shown by ``plumbline status``, and tried again by the
    next run or the sensor ``alerts``.

    Returns:
        How many wait to be delivered afterwards.
    """
    try:
        for alert in alerts:
            for url in settings.webhook_urls:
                _keep(settings, _message(alert, url))
        return deliver(settings, log)
    except OSError as e:
        log(f"The outbox {_outbox(settings)} cannot be written, so {len(alerts)} alerts are lost: {e.strerror or e}.")
        return len(alerts)


def deliver(settings: Settings, log: Callable[[str], None]) -> int:
    """Deliver what waits in the outbox, oldest first, within ``BUDGET_S`` seconds; gives how many are left."""
    waiting = undelivered(settings)
    if not waiting:
        return 0
    import httpx  # only where there is something to send

    ends, unreachable, left = time.monotonic() + BUDGET_S, set[str](), 0
    with httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=True) as client:
        for message in waiting:
            if message.url not in settings.webhook_urls or _age_s(message) > KEPT_S:
                _drop(settings, message)
                log(f"An alert of {message.at} was never delivered and is given up: {message.error or 'its address is no longer set'}.")
                continue
            late = message.url in unreachable or time.monotonic() > ends
            error = "the time for it was up" if late else _post(client, settings, message, ends)
            if not error:
                _drop(settings, message)
                continue
            left += 1
            if message.url not in unreachable:
                unreachable.add(message.url)
                _keep(settings, message.model_copy(update={"error": error}))
                log(f"An alert could not be delivered to {_host(message.url)}: {error}. It is kept and tried again.")
    return left


def undelivered(settings: Settings) -> list[Undelivered]:
    """What waits to be delivered, oldest first."""
    return list(_kept(_outbox(settings)))


def _post(client: httpx.Client, settings: Settings, message: Undelivered, ends: float) -> str:
    """Deliver one message; the reason when it was not."""
    import httpx
    from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

    def once() -> None:
        client.post(message.url, content=message.body, headers=_headers(settings, message)).raise_for_status()

    def out_of_time(_: object) -> bool:
        return time.monotonic() + _TIMEOUT_S > ends

    retrying = Retrying(
        retry=retry_if_exception_type((httpx.TransportError, httpx.HTTPStatusError)),
        stop=stop_after_attempt(3) | out_of_time,  # type: ignore[operator]
        wait=wait_exponential_jitter(multiplier=0.2, max=1.0),
    )
    try:
        retrying(once)
    except RetryError as e:
        return _reason(e.last_attempt.exception())
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as e:
        return _reason(e)
    return ""


def _reason(error: BaseException | None) -> str:
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return f"it answered {error.response.status_code}"
    return f"{type(error).__name__}: {error}"


def _headers(settings: Settings, message: Undelivered) -> dict[str, str]:
    """Id, instant and, with a secret, the signature: https://www.standardwebhooks.com."""
    stamp = int(time.time())
    headers = {"content-type": "application/json", "user-agent": "plumbline", "webhook-id": message.id, "webhook-timestamp": str(stamp)}
    if settings.webhook_secret:
        headers["webhook-signature"] = signature(settings.webhook_secret, message.id, stamp, message.body)
    return headers


def signature(secret: str, message_id: str, stamp: int, body: str) -> str:
    """An alert's signature: HMAC-SHA256 of id, instant (seconds since the epoch) and body, as https://www.standardwebhooks.com says.

    The specification's own form of a secret is ``whsec_`` and base64; any other is taken as it is.
    """
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    return f"v1,{base64.b64encode(hmac.digest(key, f'{message_id}.{stamp}.{body}'.encode(), hashlib.sha256)).decode()}"


def _message(alert: Alert, url: str) -> Undelivered:
    at = now().isoformat()
    body = {"type": f"plumbline.{alert.kind}", "timestamp": at, "data": alert.model_dump(mode="json", exclude={"kind"})}
    return Undelivered(id=f"msg_{uuid.uuid4().hex}", url=url, at=at, body=json.dumps(body, ensure_ascii=False, sort_keys=True))


def _outbox(settings: Settings) -> Path:
    return settings.root / "alerts" / "outbox"


def _keep(settings: Settings, message: Undelivered) -> None:
    folder = _outbox(settings)
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("*.json"))[: -KEPT_MOST or None]:
        old.unlink(missing_ok=True)  # an address that never answers must not fill the disk
    path = _path(settings, message)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(message.model_dump_json())
    partial.chmod(0o600)  # the address may hold a secret
    partial.replace(path)


def _drop(settings: Settings, message: Undelivered) -> None:
    _path(settings, message).unlink(missing_ok=True)


def _path(settings: Settings, message: Undelivered) -> Path:
    return _outbox(settings) / f"{message.at.replace(':', '')}-{message.id}.json"


def _kept(folder: Path) -> Iterator[Undelivered]:
    for path in sorted(folder.glob("*.json")):
        try:
            yield Undelivered.model_validate_json(path.read_text())
        except (OSError, ValueError):  # another process delivered it meanwhile, or it is no message of ours
            continue


def _age_s(message: Undelivered) -> float:
    return (now() - datetime.fromisoformat(message.at)).total_seconds()


def _host(url: str) -> str:
    return urlsplit(url).hostname or "an address without a host"  # never the whole: its path is often the secret
