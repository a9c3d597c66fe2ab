"""What stands at the foot of every page while gates are overridden or publishing is frozen."""

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
