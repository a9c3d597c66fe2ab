"""``plumbline keys``: make, list, rotate and revoke keys of the search API."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import out, say, table, when

if TYPE_CHECKING:
    from search_index.model.keys import ApiKey, IssuedKey

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"(\d{1,5})([mhdw])")
_SECRETS = {"secret_sha256", "previous_sha256"}
_EXPIRES = "After how long it stops working: 12h, 90d, 52w, or `never`."


def register(app: typer.Typer) -> None:
    """Add ``create``, ``list``, ``rotate`` and ``revoke``."""

    @command(app, "create", "plumbline keys create search-page --scope search --scope feedback --group board --expires 90d")
    def create(
        name: Annotated[str, typer.Argument(help="Who will hold it; for people.")],
        scope: Annotated[list[str] | None, typer.Option("--scope", help="What it may do; may be repeated.")] = None,
        group: Annotated[
            list[str] | None, typer.Option("--group", help="Whose documents it reads, beside everyone's; may be repeated.")
        ] = None,
        tenant: Annotated[str, typer.Option("--tenant", help="Whose documents it reads, and no other's.")] = "default",
        expires: Annotated[str, typer.Option("--expires", help=_EXPIRES)] = "365d",
        rate: Annotated[int | None, typer.Option("--rate", help="Requests a minute; 0: no limit. Default PLUMBLINE_RATE_LIMIT.")] = None,
    ) -> Result:
        """Make a key. Its secret is printed on stdout, once: only its digest is kept.

        Scopes: search, history, feedback, governance, operate, admin. With the first key a running service asks everybody for one.
        """
        from plumbline.cli.settings import actor, load_settings
        from search_index.home import Home
        from search_index.model.keys import KeyTerms
        from search_index.model.release import now

        at = now()
        expires_at = None if expires == "never" else at + span(expires, "--expires")
        terms = KeyTerms(name=name, tenant=tenant, groups=group or [], scopes=scope or [], expires_at=expires_at, requests_per_minute=rate)
        terms.check(at)  # before a home is made for it
        catalog = Home(load_settings()).catalog
        first = not catalog.api_keys()
        issued = catalog.create_key(terms, actor())
        return Result(_document(issued), lambda: _created(issued, first))

    @command(app, "list", "plumbline keys list")
    def list_keys() -> Result:
        """Every key, with what it may do, when it ends and when it was last used. Secrets are not kept, so none is shown."""
        from plumbline.cli.settings import existing_home, has_home, load_settings

        settings = load_settings()
        keys = existing_home(settings).catalog.api_keys() if has_home(settings) else []
        return Result([_shown(key) for key in keys], lambda: _show(keys))

    @command(app, "rotate", "plumbline keys rotate 4f09c2a1be --overlap 1h")
    def rotate(
        id: Annotated[str, typer.Argument(help="The key's id, as `plumbline keys list` shows it.")],
        overlap: Annotated[str, typer.Option("--overlap", help="How long the old secret still works: 0, 30m, 24h.")] = "24h",
    ) -> Result:
        """Give a key a new secret, printed on stdout once. Its id, scopes, groups and end stay."""
        from plumbline.cli.settings import existing_home, load_settings

        kept = timedelta(0) if overlap == "0" else span(overlap, "--overlap")
        issued = existing_home(load_settings()).catalog.rotate_key(id, kept)
        return Result(_document(issued), lambda: _rotated(issued))

    @command(app, "revoke", "plumbline keys revoke 4f09c2a1be")
    def revoke(id: Annotated[str, typer.Argument(help="The key's id, as `plumbline keys list` shows it.")]) -> Result:
        """End a key for good. A running service refuses it within a second."""
        from plumbline.cli.settings import actor, existing_home, load_settings

        key = existing_home(load_settings()).catalog.revoke_key(id, actor())
        return Result(_shown(key), lambda: out().print(f"Key {key.id} ({key.name}) is revoked.", markup=False))


def span(text: str, option: str) -> timedelta:
    """A span of time: a whole number of minutes, hours, days or weeks.

    Errors:
        WrongUsage: it is not written like that.
    """
    from search_index.errors import WrongUsage

    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise WrongUsage(f"{option} {text!r} is no span of time.", "Write it like 30m, 12h, 90d or 52w.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _shown(key: ApiKey) -> dict[str, object]:
    from search_index.model.release import now

    return {**key.model_dump(mode="json", exclude=_SECRETS | {"altered"}), "state": key.state(now())}


def _document(issued: IssuedKey) -> dict[str, object]:
    return {"key": _shown(issued.key), "secret": issued.secret}


def _created(issued: IssuedKey, first: bool) -> None:
    from search_index.model.tenant import DEFAULT_TENANT

    key = issued.key
    out().print(issued.secret, markup=False, soft_wrap=True)
    of = f" of tenant {key.tenant}" if key.tenant != DEFAULT_TENANT else ""
    say(f"Key {key.id} for {key.name}: {', '.join(key.scopes)}; reads {', '.join(['everyone', *key.groups])}{of}; {_end(key.expires_at)}.")
    say("The line on stdout is its secret. It is not kept and cannot be shown again; send it as `Authorization: Bearer ...`.")
    if first:
        say("This is the first key: from now on everybody has to send one.")


def _rotated(issued: IssuedKey) -> None:
    until = issued.key.previous_until
    out().print(issued.secret, markup=False, soft_wrap=True)
    say(f"Key {issued.key.id} has a new secret. The old one {f'works until {when(until)} UTC' if until else 'does not work any more'}.")


def _end(expires_at: datetime | None) -> str:
    return f"until {when(expires_at)} UTC" if expires_at else "it does not expire"


def _show(keys: list[ApiKey]) -> None:
    from search_index.model.release import now
    from search_index.model.tenant import DEFAULT_TENANT

    if not keys:
        out().print("There are no keys: the service lets whoever is at this machine do everything.")
        out().print("To make one: [cyan]plumbline keys create NAME --scope search[/cyan]")
        return
    at, tenants = now(), any(key.tenant != DEFAULT_TENANT for key in keys)
    rows = [
        (
            key.id, key.name, key.state(at), *([key.tenant] if tenants else []), ", ".join(key.scopes), ", ".join(key.groups) or "-",
            when(key.expires_at) if key.expires_at else "never", when(key.last_used_at),
        )
        for key in keys
    ]  # fmt: skip
    out().print(table(["id", "name", "state", *(["tenant"] if tenants else []), "scopes", "groups", "expires", "last used"], rows))
