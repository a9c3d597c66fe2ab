"""Plots of a step's rows, as PNG inside Markdown: the Dagster UI shows them without reaching for anything.

matplotlib takes most of a second to import, so it is imported where a plot is drawn, and plots are drawn only when rows changed.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH_IN, _HEIGHT_IN, _DPI = 7.2, 2.9, 110
_BAR, _MARK, _INK, _GREY = "#3b6ea5", "#b5482f", "#30343a", "#8a8f98"
_SHARES_SHOWN = 8


def lengths_plot(tokens: Sequence[int], limit: int, what: str) -> dg.MetadataValue:
    """A histogram of passage lengths in tokens, with the limit of the contract or encoder marked."""
    from matplotlib.ticker import MaxNLocator

    def draw(axes: Axes) -> None:
        axes.hist(tokens, bins=min(40, max(5, len(set(tokens)))), color=_BAR, rwidth=0.92)
        axes.axvline(limit, color=_MARK, linewidth=1.5, label=f"most allowed: {limit}")
        axes.set_xlim(0, 1.04 * max(limit, *tokens))
        axes.margins(y=0.2)
        axes.set_xlabel("tokens a passage")
        axes.set_ylabel("passages")
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.legend(frameon=False, loc="upper left", fontsize=8)

    return _plot(f"{what}: lengths of {len(tokens):,} passages", draw)


def shares_plot(counts: Mapping[str, int], what: str, unit: str) -> dg.MetadataValue:
    """Shares as horizontal bars, the largest first; what does not fit is summed up as ``other``."""
    ordered = Counter(counts).most_common()
    shown = ordered[:_SHARES_SHOWN]
    rest = sum(count for _, count in ordered[_SHARES_SHOWN:])
    if rest:
        shown.append(("other", rest))
    total = sum(counts.values())

    def draw(axes: Axes) -> None:
        names, values = [name for name, _ in reversed(shown)], [count for _, count in reversed(shown)]
        bars = axes.barh(names, values, color=_BAR, height=min(0.7, 0.16 * len(names)))
        axes.bar_label(bars, [f" {v:,} ({_share(v, total)})" for v in values], fontsize=8, color=_INK)
        axes.set_xlim(0, max(values) * 1.2)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlabel(unit)

    return _plot(what, draw)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot: a value and its interval at each ``x``."""

    name: str
    x: Sequence[int]
    values: Sequence[float]
    intervals: Sequence[tuple[float, float]]


def lines_plot(lines: Sequence[Line], what: str, along: str) -> dg.MetadataValue:
    """Values with their intervals along whole numbers, the first line on top."""

    def draw(axes: Axes) -> None:
        for line, colour in reversed(list(zip(lines, (_BAR, _MARK, _GREY), strict=False))):
            below = [value - low for value, (low, _) in zip(line.values, line.intervals, strict=True)]
            above = [high - value for value, (_, high) in zip(line.values, line.intervals, strict=True)]
            axes.errorbar(
                line.x,
                line.values,
                yerr=[below, above],
                color=colour,
                label=line.name,
                marker="o",
                markersize=3,
                linewidth=1.2,
                elinewidth=0.6,
            )
        axes.set_xlabel(along)
        axes.legend(frameon=False, fontsize=8)

    return _plot(what, draw)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a plot of thresholds: how far something moved, and the least that would have been found; None where nothing would."""

    name: str
    value: float
    found_from: float | None
    marked: bool


def thresholds_plot(bars: Sequence[Bar], what: str) -> dg.MetadataValue:
    """How far each thing moved in multiples of its threshold, which is a line at 1, with a mark from where it would have been found."""
    most = 4.0

    def draw(axes: Axes) -> None:
        rows = list(reversed(bars))
        names = [bar.name if bar.found_from is not None else f"{bar.name} (too few)" for bar in rows]
        colours = [_MARK if bar.marked else _BAR for bar in rows]
        axes.barh(names, [min(bar.value, most) for bar in rows], color=colours, height=0.6)
        found = [(row, min(bar.found_from, most)) for row, bar in enumerate(rows) if bar.found_from is not None]
        axes.scatter([x for _, x in found], [row for row, _ in found], marker="|", s=80, color=_INK, label="found from here")
        axes.axvline(1, color=_MARK, linewidth=1.5, label="drift")
        axes.set_xlim(0, most * 1.02)
        axes.set_xlabel("effect, in thresholds (cut off at 4)")
        axes.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)

    return _plot(what, draw)


def compared_plot(
    samples: tuple[Sequence[float] | NDArray[np.float64], Sequence[float] | NDArray[np.float64]],
    names: tuple[str, str],
    what: str,
    unit: str,
) -> dg.MetadataValue:
    """Two distributions over each other, as shares, so that their sizes do not matter: the older one filled, the newer one a line."""

    def draw(axes: Axes) -> None:
        older, newer = (np.asarray(sample, dtype=np.float64) for sample in samples)
        low, high = float(min(older.min(), newer.min())), float(max(older.max(), newer.max()))
        edges = np.linspace(low, high if high > low else low + 1, 31).tolist()
        axes.hist(older, bins=edges, weights=np.full(len(older), 1 / len(older)), color=_GREY, alpha=0.6, label=names[0])
        axes.hist(
            newer, bins=edges, weights=np.full(len(newer), 1 / len(newer)), histtype="step", color=_BAR, linewidth=1.5, label=names[1]
        )
        axes.set_xlabel(unit)
        axes.set_ylabel("share")
        axes.legend(frameon=False, fontsize=8)

    return _plot(what, draw)


def _share(count: int, total: int) -> str:
    return f"{count / total:.0%}" if count >= total / 200 else "<1%"


def _plot(title: str, draw: Callable[[Axes], None]) -> dg.MetadataValue:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)  # no window, whatever MPLBACKEND says
    axes = figure.subplots()
    draw(axes)
    axes.set_title(title, fontsize=10, loc="left", color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=_INK)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(png.getvalue()).decode()})")
