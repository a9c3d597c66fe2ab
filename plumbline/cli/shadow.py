"""``plumbline releases shadow``: have a running service ask another release too, and tell how its answers differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import out, table

if TYPE_CHECKING:
    from search_index.model.operating import ShadowAnswer


def register(app: typer.Typer) -> None:
    """Add ``shadow``, ``unshadow`` and ``shadow-report``."""

    @command(app, "shadow", "plumbline releases shadow 7")
    def shadow(revision: Annotated[int, typer.Argument(help="A published release that is still held.")]) -> Result:
        """Have every live query answered by this release as well, after the answer is out. Nobody sees what it answers.

        Of each the service writes down how many of the ten best passages both have, how long both took, and how many hits they had: no
        query, no passage. Before `resume`, for one, it shows what the release that was rolled back from would answer.
        """
        from plumbline.cli.rollback import check_servable
        from plumbline.cli.settings import actor, existing_home, load_settings

        home = existing_home(load_settings())
        check_servable(home, revision)
        made = home.catalog.begin_shadow(revision, actor())
        says = f"Release {revision} is asked beside the live one. How it differs: [cyan]plumbline releases shadow-report {revision}[/cyan]"
        return Result(made.model_dump(mode="json"), lambda: out().print(says))

    @command(app, "unshadow", "plumbline releases unshadow")
    def unshadow() -> Result:
        """Ask the live release alone again. What was written down stays."""
        from plumbline.cli.settings import existing_home, load_settings

        ended = existing_home(load_settings()).catalog.end_shadow()
        says = f"Release {ended.revision} is no longer asked." if ended else "No release shadows the live one; nothing to do."
        return Result({"ended": ended.revision if ended else None}, lambda: out().print(says))

    @command(app, "shadow-report", "plumbline releases shadow-report 7")
    def report(revision: Annotated[int, typer.Argument(help="A release that shadowed the live one.")]) -> Result:
        """How a release's answers differed from the live one's, by mode."""
        from plumbline.cli.settings import existing_home, load_settings

        figures = summary(existing_home(load_settings()).catalog.shadow_answers(revision))
        return Result({"shadow": revision, "modes": figures}, lambda: _show(revision, figures))


def summary(answers: Sequence[ShadowAnswer]) -> dict[str, dict[str, float]]:
    """By mode: how many were compared; the mean overlap, and the share below one half; p50 and p95 of both; empty answers; failures."""
    modes: dict[str, dict[str, float]] = {}
    for mode in sorted({answer.mode for answer in answers}):
        of_mode = [answer for answer in answers if answer.mode == mode]
        overlaps = [answer.overlap for answer in of_mode if answer.overlap is not None]
        modes[mode] = {
            "queries": len(of_mode),
            "overlap@10": round(sum(overlaps) / len(overlaps), 4) if overlaps else 0.0,
            "below_half": round(sum(value < 0.5 for value in overlaps) / len(overlaps), 4) if overlaps else 0.0,
            "live_p50_ms": quantile([answer.live_ms for answer in of_mode], 0.5),
            "shadow_p50_ms": quantile([answer.shadow_ms for answer in of_mode], 0.5),
            "live_p95_ms": quantile([answer.live_ms for answer in of_mode], 0.95),
            "shadow_p95_ms": quantile([answer.shadow_ms for answer in of_mode], 0.95),
            "live_empty": sum(answer.live_hits == 0 for answer in of_mode),
            "shadow_empty": sum(answer.shadow_hits == 0 and answer.failed is None for answer in of_mode),
            "failed": sum(answer.failed is not None for answer in of_mode),
        }
    return modes


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _show(revision: int, modes: dict[str, dict[str, float]]) -> None:
    if not modes:
        out().print(f"Nothing was compared with release {revision} yet: a service has to run and be asked.")
        return
    names = ["mode", *next(iter(modes.values()))]
    out().print(table(names, [[mode, *(f"{value:g}" for value in figures.values())] for mode, figures in modes.items()], numbers=names[1:]))
