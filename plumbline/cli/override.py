"""``plumbline releases override`` and ``revoke``: break the glass, for some hours, with a name and a reason to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import counted, out, say

if TYPE_CHECKING:
    from search_index.model.operating import Override
    from search_index.settings import Settings


def register(app: typer.Typer) -> None:
    """Add ``override`` and ``revoke``."""

    @command(app, "override", 'plumbline releases override --checks golden_floor --hours 2 --reason "the old prices are worse"')
    def override(
        reason: Annotated[str, typer.Option("--reason", help="Why; signed, and shown wherever a release is until it expires.")],
        hours: Annotated[float, typer.Option("--hours", help="How long it holds, at most 24.")] = 4.0,
        checks: Annotated[str | None, typer.Option("--checks", help="Names of checks with commas between them; without it all.")] = None,
    ) -> Result:
        """Let the next candidates go live although checks failed. A missing verdict is never excused, nor a check of who may read.

        It is signed, so nobody lengthens it by editing the catalog. The releases that it lets through say so for good.
        """
        from pipelines.alerts.orders import alert_override
        from plumbline.cli.settings import actor, existing_home, load_settings

        settings = load_settings()
        home = existing_home(settings)
        named = _named(settings, checks)
        made = home.catalog.order_override(named, hours, actor(), reason, home.signing_key())
        alert_override(settings, made, say)
        return Result({"override": made.model_dump(mode="json")}, lambda: _ordered(made))

    @command(app, "revoke", 'plumbline releases revoke --reason "mended"')
    def revoke(reason: Annotated[str, typer.Option("--reason", help="Why; kept with it.")] = "no reason given") -> Result:
        """End the override that stands, before it expires. What went live because of it stays live."""
        from plumbline.cli.settings import actor, existing_home, load_settings

        home = existing_home(load_settings())
        ended = home.catalog.revoke_override(actor(), reason.strip(), home.signing_key())
        return Result({"revoked": [each.model_dump(mode="json") for each in ended]}, lambda: _revoked(len(ended)))


def _named(settings: Settings, checks: str | None) -> list[str]:
    """The checks that were named; a slip of the pen at 3 a.m. is told at once and does not end in a refusal half an hour later.

    Errors:
        WrongUsage: there is no check of that name, or it is one that is never overridden.
    """
    from search_index.errors import WrongUsage
    from search_index.model.operating import overridable

    if checks is None:
        return []
    named = sorted({name.strip() for name in checks.split(",") if name.strip()})
    if not named:
        raise WrongUsage("--checks names no check.", "Give their names with commas between them, or leave --checks out.")
    if never := [name for name in named if not overridable(name)]:
        raise WrongUsage(
            f"{', '.join(never)} cannot be overridden: it guards who may read, or a change that a person accepts by its id.",
            "`plumbline sources` lists what waits to be accepted.",
        )
    known = _known_checks(settings)
    if unknown := [name for name in named if name not in known]:
        raise WrongUsage(f"There is no check {', '.join(unknown)}.", f"There are: {', '.join(sorted(filter(overridable, known)))}.")
    return named


def _known_checks(settings: Settings) -> set[str]:
    from quality_checks.contracts import load_contracts
    from quality_checks.gates import CANDIDATE_CHECKS, EVALUATION_CHECKS, STAGES, stage_checks

    contracts, _ = load_contracts(settings.contract_folders, settings.contract_variables)
    of_sources = {check.name for contract in contracts.values() for stage in STAGES for check in stage_checks(contract, stage)}
    return of_sources | {check.name for check in (*CANDIDATE_CHECKS, *EVALUATION_CHECKS)}


def _ordered(override: Override) -> None:
    console = out()
    console.print(f"Ordered: {override.says}.", markup=False, soft_wrap=True)
    console.print("It counts for candidates that are staged from now on: [cyan]plumbline ingest[/cyan]")
    console.print("To end it early: [cyan]plumbline releases revoke[/cyan]")


def _revoked(count: int) -> None:
    out().print(f"{counted(count, 'override')} ended." if count else "No override stands; nothing to do.")
