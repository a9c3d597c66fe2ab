"""A contract's location as something to open: its parts, no secrets in it, and what its protocol wants installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

import fsspec

from search_index.errors import PlumblineError, SourceUnavailable

ARCHIVES = ("zip", "tar")
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "sftp": "sftp", "ssh": "sftp", "http": "http", "https": "http"}
_SECRETS = frozenset({"x-amz-signature", "x-amz-security-token", "x-goog-signature", "sig", "access_token", "api_key", "apikey", "token"})
_ASKED_WITHIN_S = 30.0
_FROM_ENVIRONMENT = "Take it out and give it by the environment, as docs/contracts.md says."


def protocol_of(location: str) -> str:
    """The protocol of the outermost part: ``zip`` for ``zip://::s3://b/x.zip``, ``file`` for a plain path."""
    return location.partition("://")[0].lower() if "://" in location.partition("::")[0] else "file"


def local_path(location: str) -> str | None:
    """The path of a location on this machine, None of any other."""
    if "::" in location and protocol_of(location) != "file":
        return None
    if "://" not in location:
        return location
    return location.partition("://")[2] if protocol_of(location) in ("file", "local") else None


def refuse_secrets(location: str) -> None:
    """Refuse a location that holds a credential: contracts lie in version control.

    Raises:
        SourceUnavailable: it does; the message does not repeat it.
    """
    for part in location.split("::"):
        if "://" not in part:
            continue
        try:
            url = urlsplit(part)
        except ValueError as e:
            raise SourceUnavailable("The location is no URL.", "Correct `servers` in the contract.") from e
        if url.password:
            raise SourceUnavailable(f"The location at {url.hostname} holds a password.", _FROM_ENVIRONMENT)
        for key, _ in parse_qsl(url.query):
            if key.lower() in _SECRETS:
                raise SourceUnavailable(f"The location at {url.hostname} holds a credential ({key}).", _FROM_ENVIRONMENT)


def exists(location: str) -> bool:
    """Whether there is something at a location; of an archive, whether the archive is there.

    Raises:
        SourceUnavailable: it cannot be asked.
    """
    while protocol_of(location) in ARCHIVES and "::" in location:
        location = location.partition("::")[2]
    if protocol_of(location) in ("http", "https"):
        from pipelines.sources.web_client import WebClient

        ask: Callable[[], bool] = lambda: WebClient(_ASKED_WITHIN_S).head(location).status in (200, 203, 405, 501)  # noqa: E731
    else:
        ask = lambda: _found_by_fsspec(location)  # noqa: E731
    try:
        return ask()
    except PlumblineError as e:
        raise SourceUnavailable(e.what, e.remedy) from e
    except OSError as e:
        raise SourceUnavailable(
            f"{location} cannot be reached: {e.strerror or e}.", "Check the address, the network and the credentials in the environment."
        ) from e


def _found_by_fsspec(location: str) -> bool:
    filesystem, path = filesystem_of(location)
    with os_errors():
        return bool(filesystem.exists(path))


@contextmanager
def os_errors() -> Iterator[None]:
    """Errors of the client below a file system as ``OSError``: each client has a hierarchy of its own."""
    try:
        yield
    except (OSError, PlumblineError):
        raise
    except Exception as e:
        raise OSError(0, f"{type(e).__name__}: {str(e)[:200]}") from e


def filesystem_of(location: str, endpoint_url: str | None = None) -> tuple[fsspec.AbstractFileSystem, str]:
    """fsspec's file system for a location, fresh: no listing of an earlier run is remembered; and the path in it.

    Args:
        endpoint_url: where S3 is spoken, if not at Amazon's.

    Raises:
        SourceUnavailable: nothing here reads that protocol.
    """
    protocols = {protocol_of(part) for part in location.split("::")}
    options: dict[str, dict[str, object]] = {protocol: {"skip_instance_cache": True} for protocol in protocols}
    if endpoint_url:
        options.setdefault("s3", {})["endpoint_url"] = endpoint_url
    try:
        filesystem, path = fsspec.core.url_to_fs(location, **options)
    except ImportError as e:
        extra = next((_EXTRAS[p] for p in sorted(protocols) if p in _EXTRAS), None)
        remedy = f'Install what reads it: pip install "plumbline[{extra}]".' if extra else f"Install the package it names ({e.name})."
        raise SourceUnavailable(f"{location} cannot be opened: {e}.", remedy) from e
    except (ValueError, OSError) as e:
        raise SourceUnavailable(f"{location} cannot be opened: {e}.", "Check the contract's location.") from e
    return filesystem, path
