"""Sources that a team brings itself, as a package with an entry point. ``docs/writing-a-source.md`` shows one."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import cast

from pipelines.sources.interface import Source
from pipelines.sources.locations import refuse_secrets
from quality_checks.contracts import Contract
from search_index.errors import SourceUnavailable

GROUP = "plumbline.sources"


def custom_source(contract: Contract) -> Source:
    """The source of a server of type ``custom``, whose location is ``NAME:REST``; REST means something to the plug-in alone.

    Raises:
        SourceUnavailable: no package has a plug-in of that name, or it cannot be loaded.
    """
    refuse_secrets(contract.location)
    name = contract.location.partition(":")[0]
    plugins = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in plugins:
        raise SourceUnavailable(
            f"Source {contract.name}: no plug-in is called {name!r}; installed: {', '.join(sorted(plugins)) or 'none'}.",
            f"Install the package that has it in its entry points (group {GROUP}), or correct the contract's location (NAME:REST).",
        )
    try:
        make = cast("Callable[[Contract], Source]", plugins[name].load())
        return make(contract)
    except (ImportError, AttributeError) as e:
        raise SourceUnavailable(
            f"Source {contract.name}: the plug-in {name!r} cannot be loaded: {e}.", "Install its package again, with what it needs."
        ) from e
