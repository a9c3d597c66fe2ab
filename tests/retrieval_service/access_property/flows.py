"""Ways that take more than one request: pages of a cursor, feedback on an answer, and the receipts of a push."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import JsonValue as Json

from search_index.model.search import EVERYONE
from tests.retrieval_service.access_property.ways import Asked, Body, Drawing
from tests.retrieval_service.access_property.worlds import NAMES, RELEASES, Asker

if TYPE_CHECKING:
    from tests.retrieval_service.access_property.site import Site

_SEARCH, _FEEDBACK, _PUSH = frozenset({"search"}), frozenset({"feedback"}), frozenset({"push"})


def pages(site: Site) -> None:
    """Page after page, each held against what may be seen; and a page asked for by somebody who may see something else."""
    of = Drawing(site.draw, site.corpus)
    who = site.draw.choice([asker for asker in site.askers if {"search", "admin"} & {*asker.scopes}])
    body: Body = {**of.search_body(("hybrid", "sparse", "dense")), "limit": 3, "query": "golden release"}
    body.pop("offset", None)
    _, answer = site.shared.ask(who, Asked("pages", "POST", "/v1/search", body, _SEARCH))
    for _ in range(4):
        if not isinstance(answer, dict) or "next" not in answer:
            return
        after = Asked("pages", "POST", "/v1/search", {**body, "cursor": answer["next"]}, _SEARCH)
        other = site.draw.choice(site.askers)
        if (other.tenant, other.groups) != (who.tenant, who.groups) and {"search", "admin"} & {*other.scopes}:
            site.found.cases["pages of somebody else"] += 1
            status, refused = site.shared.ask(other, after)
            if status != 400:
                site.found.note("pages of somebody else", [f"answered with {status}"], other, after.said)
            site.hold(other, after, refused)
        _, answer = site.shared.ask(who, after)
        site.found.cases["pages"] += 1
        site.hold(who, after, answer)


def feedback(site: Site) -> None:
    """What is said of a passage or a document: taken where it may be seen, and not told from what does not exist where it may not."""
    of = Drawing(site.draw, site.corpus)
    who = site.draw.choice([asker for asker in site.askers if {"feedback", "admin"} & {*asker.scopes}])
    _, answer = site.shared.ask(who, Asked("search", "POST", "/v1/search", {"query": of.query(), "limit": 5}, _SEARCH))
    assert isinstance(answer, dict)
    passage = of.passage()
    seen = site.corpus.seen(who.principal, RELEASES)
    said: Body = {"answer": answer["id"], "kind": "not_relevant", "chunk_id": passage.chunk, "note": passage.text}
    may = any(each.chunk == passage.chunk for each in seen)
    uniform = len({each.access for each in site.corpus.everything if each.document == passage.document}) == 1
    if uniform and site.draw.random() < 0.5:
        said = {"answer": answer["id"], "kind": "correction", "uri": passage.uri, "quote": passage.text}
        may = any(each.document == passage.document for each in seen)
    by = site.draw.choice([asker for asker in site.askers if {"feedback", "admin"} & {*asker.scopes}])
    if by != who and site.draw.random() < 0.5:  # an answer is whose it was given to
        who, may = by, False
    asked = Asked("feedback", "POST", "/v1/feedback", said, _FEEDBACK)
    status, told = site.shared.ask(who, asked)
    site.found.cases["feedback"] += 1
    if status != (201 if may else 404):
        site.found.note("feedback", [f"{status} on what may{'' if may else ' not'} be seen"], who, said)
    site.hold(who, asked, told)


def pushes(site: Site) -> list[tuple[Asker, str, str]]:
    """A push by each who may: who pushed, the receipt, and the path."""
    made = []
    for number, who in enumerate(asker for asker in site.askers if {"push", "admin"} & {*asker.scopes}):
        path = f"pp{NAMES[who.tenant]}{90 + number}.md"
        body: Body = {
            "source": f"push{number}",
            "access": list[Json](sorted(who.groups)),
            "documents": [{"path": path, "text": "A text that somebody pushed."}],
        }
        status, told = site.shared.ask(who, Asked("push", "PUT", "/v1/documents", body, _PUSH))
        assert (status, isinstance(told, dict)) == (202, True), told
        made.append((who, str(cast(Body, told)["receipt"]), path))
    return made


def receipt(site: Site) -> None:
    """A receipt is shown to whoever may read all of its source, and to nobody else."""
    by, name, path = site.draw.choice(site.pushed)
    who = site.draw.choice([asker for asker in site.askers if {"push", "admin"} & {*asker.scopes}])
    asked = Asked("receipts", "GET", f"/v1/pushed/{name}", None, _PUSH)
    status, told = site.shared.ask(who, asked)
    site.found.cases["receipts"] += 1
    theirs = who.tenant == by.tenant and by.groups <= who.groups | {EVERYONE}
    if status != (200 if theirs else 404) or (not theirs and path in str(told)):
        site.found.note("receipts", [f"{status}"], who, asked.said)
