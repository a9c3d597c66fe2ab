"""Answers as text for a language model: where each passage stands, what it says, and what the answer had to do without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from retrieval_service.problems import told_to
from retrieval_service.provenance import AnyNode, Lineage
from search_index.errors import PlumblineError
from search_index.model.agent import AgentAnswer
from search_index.model.context import ContextAnswer
from search_index.model.search import Degraded, Hint, Hit, Principal, ReleaseRef, SearchAnswer
from search_index.model.whole_document import DocumentAnswer

MOST_LINES = 100
"""Nodes, and edges, of a lineage that are worth reading one by one; a long document has thousands of passages."""
MOST_SAID = 20
"""Arguments of which it is said that they do not validate."""
LONGEST_SAID = 300
"""Code points of what is said of one: its name is the caller's."""
_TELLING = ("uri", "raw_sha256", "source", "title", "page", "fingerprint", "name", "digest", "revision", "status", "published_at",
            "outcome", "check", "summary")  # fmt: skip
"""Of a node in a lineage, what is worth a reader's time; the structured answer has it all."""


def of_search(answer: SearchAnswer) -> str:
    """Numbered passages, each below a line with its title, address, page and section."""
    found = f"{_counted(len(answer.hits), 'passage')}, {_of(answer.release)}; cite them by number and address."
    more = [f"More: the same arguments with cursor={answer.next}"] if answer.next else []
    return _joined([found if answer.hits else f"No passage found, {_of(answer.release)}."], _passages(answer.hits), more, _notes(answer))


def of_agent(answer: AgentAnswer) -> str:
    """The same, with what was to be covered and what was done."""
    found = f"{_counted(len(answer.hits), 'passage')}, {_of(answer.release)}; cite them by number and address."
    covered = [f"{each.name}: {', '.join(f'[{rank}]' for rank in each.hits) or 'nothing found'}" for each in answer.aspects]
    done = [f"{step.number}. {step.action}: {step.why}" + (f" ({step.decided})" if step.decided else "") for step in answer.trace]
    return _joined(
        [found if answer.hits else f"No passage found, {_of(answer.release)}."],
        _passages(answer.hits),
        ["\n".join(covered)],
        ["What was done:\n" + "\n".join(done)],
        _notes(answer),
    )


def of_context(answer: ContextAnswer) -> str:
    """The packed text, as it is."""
    if not answer.passages:
        return _joined([f"No passage found, {_of(answer.release)}."], _notes(answer))
    return _joined([answer.text], [f"({_of(answer.release)}; cite by number and address)"], _notes(answer))


def of_document(answer: DocumentAnswer) -> str:
    """What the document is, and its passages one after the other."""
    about = [_place(answer.title, answer.uri, None, None, []), f"document {answer.document_id}, {_of(answer.release)}"]
    if answer.modified_at:
        about.append(f"modified {answer.modified_at}")
    passages = [
        f"({_at(passage.page, passage.page_last, passage.section) or f'passage {passage.chunk_id}'})\n{passage.text}"
        for passage in answer.passages
    ]
    count = f"{len(answer.passages)} of {_counted(answer.total, 'passage')}."
    more = f" More: offset={answer.next_offset}." if answer.next_offset is not None else ""
    return _joined(["\n".join(about)], passages, [count + more])


def of_lineage(answer: Lineage) -> str:
    """The graph as lines: what is in it, then how it hangs together, as sentences."""
    nodes = [f"{node.key}: {_told(node)}" for node in answer.nodes]
    edges = [f"{edge.subject} {edge.relation} {edge.object}" for edge in answer.edges]
    return _joined([f"Where {answer.subject} came from."], ["\n".join(_first(nodes))], ["\n".join(_first(edges))])


def of_problem(error: PlumblineError, principal: Principal) -> str:
    """What went wrong and what to do, as much of it as the principal may know."""
    what, remedy = told_to(principal, error)
    return f"{error.slug}: {what} {remedy}".strip()


def of_invalid(tool: str, error: ValidationError) -> str:
    """Which arguments do not validate, and why; not what they were."""
    found = error.errors(include_input=False)[:MOST_SAID]
    said = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}"[:LONGEST_SAID] for each in found)
    return f"invalid-request: {said}. Correct them; the schema of the tool `{tool}` says what it takes."


def _passages(hits: Sequence[Hit]) -> list[str]:
    return [
        f"[{hit.rank}] {_place(hit.title, hit.uri, hit.page, hit.page_last, hit.section)}\nchunk {hit.chunk_id}\n{hit.text}" for hit in hits
    ]


def _notes(answer: SearchAnswer | ContextAnswer | AgentAnswer) -> list[str]:
    notes = []
    if answer.answerable is False:
        notes.append("The index seems to hold nothing on the matter: these are only the nearest passages.")
    notes += [_left_out(each) for each in answer.degraded]
    notes += [_hint(each) for each in answer.hints]
    return ["\n".join(notes)] if notes else []


def _left_out(part: Degraded) -> str:
    return f"Left out of this answer: {part.arm} ({part.reason})."


def _hint(hint: Hint) -> str:
    return f"Note: {hint.message}"


def _place(title: str, uri: str, page: int | None, page_last: int | None, section: Sequence[str]) -> str:
    at = _at(page, page_last, [part for part in section if part != title])
    return ", ".join(part for part in (title, uri, at) if part)


def _at(page: int | None, page_last: int | None, section: Sequence[str]) -> str:
    pages = "" if page is None else f"page {page}" if page_last in (None, page) else f"pages {page} to {page_last}"
    return ", ".join(part for part in (pages, " > ".join(section)) if part)


def _told(node: AnyNode) -> str:
    values = node.model_dump(mode="json", include=set(_TELLING), exclude_none=True)
    return ", ".join(f"{name} {values[name]}" for name in _TELLING if values.get(name) not in (None, "")) or node.kind


def _first(lines: list[str]) -> list[str]:
    left = len(lines) - MOST_LINES
    return lines if left <= 0 else [*lines[:MOST_LINES], f"({left} more, in the structured answer)"]


def _of(release: ReleaseRef) -> str:
    return f"release {release.revision}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _joined(*parts: Iterable[str]) -> str:
    return "\n\n".join(text for part in parts for text in part if text)
