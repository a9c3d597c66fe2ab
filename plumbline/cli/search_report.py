"""A search's answer as a person reads it: cited passages with the words that were asked for marked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from plumbline.cli.output import counted, out

if TYPE_CHECKING:
    from rich.text import Text

    from search_index.model.explanation import Explanation
    from search_index.model.passage import Facet
    from search_index.model.search import Degraded, Hit, Place, SearchAnswer
    from search_index.settings import Settings

SNIPPET = 320
"""Characters of a passage that are shown."""
NEIGHBOUR = 120
"""Characters of a neighbour that are shown."""
PLACES = 3
"""Near-duplicates of a passage that are named."""
_WORD = re.compile(r"\w+")


def show(settings: Settings, answer: SearchAnswer) -> None:
    """Print an answer."""
    from rich.text import Text

    console = out()
    stems = stems_of(answer.query)
    for hit in answer.hits:
        console.print(Text.assemble((f"{hit.rank}. ", "dim"), (hit.title or hit.uri, "bold")), soft_wrap=True)
        console.print(Text.assemble("   ", (_citation(hit), "cyan")), soft_wrap=True)
        if hit.near_duplicates:
            console.print(Text.assemble("   ", (places_said(hit.near_duplicates), "dim")), soft_wrap=True)
        console.print(Text("   ").append_text(snippet(hit.text, stems)), soft_wrap=not console.is_terminal)
        for neighbour in hit.neighbours or []:
            beside = Text(f"   {neighbour.offset:+d} ", style="dim").append_text(snippet(neighbour.text, stems, NEIGHBOUR))
            console.print(beside, soft_wrap=not console.is_terminal)
        if hit.explanation is not None:
            console.print(Text(f"   {explained(hit.explanation)}", style="dim"), soft_wrap=True)
        console.print()
    if not answer.hits:
        console.print(Text(f"Nothing in release {answer.release.revision} answers that.", style="yellow"))
    for name, facet in (answer.facets or {}).items():
        console.print(Text(facet_said(name, facet), style="cyan"), soft_wrap=True)
    for arm in answer.degraded:
        console.print(Text(left_out(arm), style="yellow"), soft_wrap=True)
    for hint in answer.hints:
        console.print(Text(f"{hint.message}", style="yellow"), soft_wrap=True)
    if answer.hints and not answer.hits:
        console.print(Text("See: plumbline status", style="dim"))
    of = f" of {counted(len(answer.groups), 'document')}" if answer.groups else ""
    said = f"{counted(len(answer.hits), 'passage')}{of} from release {answer.release.revision}, {answer.mode}, {answer.took_ms:.0f} ms"
    more = f"; more with --offset {answer.next_offset}" if answer.next_offset is not None else ""
    console.print(Text(said + more, style="dim"))


def _citation(hit: Hit) -> str:
    parts = [hit.uri]
    if hit.page is not None:
        parts.append(f"page {hit.page}" if hit.page_last in (None, hit.page) else f"pages {hit.page}-{hit.page_last}")
    if hit.section:
        parts.append(" > ".join(hit.section))
    scores = ", ".join(f"{arm} {score:.3f}" for arm, score in sorted(hit.scores.items()))
    parts.append(f"{hit.score:.3f}" + (f" ({scores})" if len(hit.scores) > 1 else ""))
    return "  ".join(parts)


def places_said(places: Sequence[Place]) -> str:
    """The first few places that hold nearly the same, and how many more there are."""
    shown = [place.uri for place in places[:PLACES]]
    more = len(places) - len(shown)
    return f"nearly the same: {', '.join(shown)}" + (f" and {more} more" if more else "")


def explained(explanation: Explanation) -> str:
    """An explanation as a sum: what each arm gives, what quoting adds, and what became of it."""
    parts = [
        f"{share.weight:.2f} * {share.normalised:.3f} ({arm} {'not found by it' if share.rank is None else f'rank {share.rank}'})"
        for arm, share in explanation.arms.items()
    ]
    parts += [f"{explanation.verbatim:.3f} (quoted)"] if explanation.verbatim else []
    said = f"{explanation.fused:.3f} = {' + '.join(parts)}"
    if explanation.feedback is not None:
        said += f"; query moved {explanation.feedback.share:.0%} towards the first {explanation.feedback.top}"
    if explanation.rerank is not None:
        said += "; reranked to" if explanation.rerank.score is not None else "; below those reranked, at"
        said += f" {explanation.score:.3f}"
    if explanation.diversity is not None:
        said += f"; likeness to those above {explanation.diversity.nearest:.2f}"
    return said


def left_out(part: Degraded) -> str:
    """What an answer does without."""
    if part.reason == "deadline":
        return f"Left out of this answer for want of time: {part.arm}."
    return f"Left out of this answer: {part.arm} ({part.reason}). See: plumbline doctor"


def facet_said(name: str, facet: Facet) -> str:
    """A facet in one line."""
    shown = [
        (str(each.value).lower() if isinstance(each.value, bool) else one_line(str(each.value)), each.documents) for each in facet.values
    ]
    values = ", ".join(f"{value} {documents}" for value, documents in shown)
    more = f" and {facet.more_values} more" if facet.more_values else ""
    without = f"; {counted(facet.missing, 'document')} without" if facet.missing else ""
    return f"{name}: {values}{more}{without}"


def one_line(text: str) -> str:
    """A text on one line, without control characters: a document must not drive the terminal."""
    return " ".join("".join(c for c in text if c.isspace() or unicodedata.category(c)[0] != "C").split())


def stems_of(query: str) -> set[str]:
    """The words of a query as BM25 knows them: stemmed, without stop words."""
    from search_index.bm25 import tokenize

    return set(tokenize(query))


def snippet(text: str, stems: set[str], length: int = SNIPPET) -> Text:
    """The part of a passage with the most words asked for, on one line, those words marked. Control characters are left out."""
    from rich.text import Text

    from search_index.bm25 import tokenize

    line = one_line(text)
    marks = [(m.start(), m.end()) for m in _WORD.finditer(line) if stems & set(tokenize(m.group()))]
    start = _best_start(line, marks, length)
    cut = line[start : start + length]
    shown = Text(("... " if start else "") + cut + (" ..." if start + length < len(line) else ""))
    shift = (4 if start else 0) - start
    for begin, end in marks:
        if begin >= start and end <= start + len(cut):
            shown.stylize("bold yellow", begin + shift, end + shift)
    return shown


def _best_start(line: str, marks: list[tuple[int, int]], length: int) -> int:
    """Where to cut so that most marks are shown, at the beginning of a word."""
    if len(line) <= length or not marks:
        return 0
    starts = [0, *(max(0, begin - length // 5) for begin, _ in marks)]
    best = max(starts, key=lambda at: (sum(at <= begin and end <= at + length for begin, end in marks), -at))
    best = min(best, max(0, len(line) - length))
    return 0 if best == 0 else line.find(" ", best) + 1
