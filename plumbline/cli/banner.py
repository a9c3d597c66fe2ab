"""What stands at the foot of every page while gates are overridden or publishing is frozen, and who is let in without a key."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plumbline.cli.output import err, say

if TYPE_CHECKING:
    from search_index.home import Home
    from search_index.model.operating import Freeze, Override
    from search_index.settings import Settings


@dataclass(frozen=True)
class Standing:
    """Orders that stand. ``altered`` are ids of overrides that somebody edited in the catalog: they do not count."""

    override: Override | None
    frozen: Freeze | None
    altered: list[str]

    def document(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "override": self.override.model_dump(mode="json") if self.override else None,
            "frozen": self.frozen.model_dump(mode="json") if self.frozen else None,
        }


def standing_orders(home: Home) -> Standing:
    """What operators ordered that holds now."""
    key = home.signing_key()
    return Standing(home.catalog.override(key), home.catalog.frozen(), home.catalog.altered_overrides(key))


def announce_orders() -> None:
    """Say on stderr what stands, below whatever a command has shown.

    Commands that did not open the home know nothing of releases: these are left alone, and start as fast as before.
    """
    if "search_index.home" not in sys.modules:
        return
    from plumbline.cli.settings import load_settings
    from search_index.errors import PlumblineError

    try:
        tell_orders(load_settings())
    except PlumblineError as error:  # the command itself has succeeded
        say(f"Whether gates are overridden could not be seen: {error.what}")


def tell_access(settings: Settings) -> None:
    """Say on stderr, and loudly, when whoever reaches the service is let in without showing anything."""
    from rich.text import Text

    from plumbline.cli.ready import address_of
    from plumbline.cli.settings import existing_home, has_home
    from retrieval_service.access import is_loopback
    from search_index.errors import PlumblineError

    where, make = address_of(settings), "plumbline keys create NAME --scope search"
    if settings.allow_anonymous:
        line = f"ANONYMOUS: whoever reaches {where} may search what everyone may read (PLUMBLINE_ALLOW_ANONYMOUS)."
    elif settings.oidc_issuer or not is_loopback(settings.host):  # without keys it does not start there, and says why
        return
    else:
        try:
            if has_home(settings) and existing_home(settings).catalog.api_keys():
                return
        except PlumblineError:  # the service says what is wrong with the catalog, and lets nobody in meanwhile
            return
        line = f"DEVELOPMENT MODE: there are no keys, so whoever is at this machine may do everything at {where}. To change that: {make}"
    err().print(Text(line, style="bold yellow"), soft_wrap=True)


def tell_orders(settings: Settings) -> None:
    """Say on stderr what stands in a home."""
    from rich.text import Text

    from plumbline.cli.settings import existing_home, has_home

    if not has_home(settings):
        return
    standing = standing_orders(existing_home(settings))
    if standing.override is not None:
        line = f"OVERRIDE: {standing.override.says}. To end it: plumbline releases revoke"
        err().print(Text(line, style="bold white on red"), soft_wrap=True)
    if standing.frozen is not None:
        err().print(Text(f"FROZEN: {standing.frozen.says}. To lift it: plumbline releases resume", style="bold yellow"), soft_wrap=True)
