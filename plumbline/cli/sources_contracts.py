"""The history of one source's contract, as ``plumbline sources show`` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbline.cli.output import out, when

if TYPE_CHECKING:
    from search_index.model.contract_version import ContractVersion
    from search_index.model.state import Change

_LONGEST = 60


def show_contracts(versions: list[ContractVersion], changes: list[Change]) -> None:
    """Print each version, newest first, with the terms it changed; then what waited for a person and who let it through."""
    from rich.text import Text

    console = out()
    for version in versions:
        console.print(Text(f"version {version.version}, met {when(version.at)}, {version.digest[:12]}", style="bold"))
        for change in version.changes:
            console.print(Text(f"  {change.term}: {_short(change.old)} → {_short(change.new)}"), soft_wrap=True)
        for sentence in version.breaking:
            console.print(Text(f"  {sentence}", style="yellow"), soft_wrap=True)
    for waited in changes:
        outcome = f"accepted by {waited.actor}: {waited.reason}" if waited.accepted_at else f"waits since {when(waited.seen_at)}"
        console.print(Text(f"{waited.change}  {waited.description}; {outcome}"), soft_wrap=True)


def _short(value: object) -> str:
    said = "-" if value is None else str(value)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
