"""``plumbline releases diff``: what changed between two releases, by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import out, table

if TYPE_CHECKING:
    from search_index.home import Home
    from search_index.model.release import ReleaseRecord

SHOWN = 20


@dataclass(frozen=True)
class Held:
    """What a release holds: each chunk's digest and document, and each document's address."""

    digests: dict[str, str]
    document_of: dict[str, str]
    points: dict[str, str]


@dataclass(frozen=True)
class Changes:
    """Ids or addresses, sorted."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    def document(self) -> dict[str, list[str]]:
        """For ``--json``."""
        return {"added": self.added, "removed": self.removed, "changed": self.changed}


def register(app: typer.Typer) -> None:
    """Add ``diff``."""

    @command(app, "diff", "plumbline releases diff 6 7")
    def diff(
        a: Annotated[int, typer.Argument(help="The earlier release.")],
        b: Annotated[int, typer.Argument(help="The later release.")],
    ) -> Result:
        """Documents and passages added, removed or changed between two published releases; their scores and settings side by side."""
        from plumbline.cli.settings import existing_home, load_settings

        document = compare(existing_home(load_settings()), a, b)
        return Result(document, lambda: _show(document))


def compare(home: Home, a: int, b: int) -> dict[str, object]:
    """The difference from release ``a`` to release ``b``.

    Errors:
        RevisionUnknown: one was never published, or is no longer held by any index.
    """
    before, after = home.catalog.resolve(a), home.catalog.resolve(b)
    old, new = _held(home, before), _held(home, after)
    chunks = _changes(old.digests, new.digests)
    of_documents = [_by_document(one) for one in (old, new)]
    documents = _changes(*of_documents)
    addresses = _addresses(home, before, old, [*documents.removed]) | _addresses(home, after, new, [*documents.added, *documents.changed])
    named = Changes(*(sorted(addresses.get(d, d) for d in ids) for ids in (documents.added, documents.removed, documents.changed)))
    return {
        "a": a,
        "b": b,
        "documents": named.document(),
        "chunks": chunks.document(),
        "scores": {"a": before.scores, "b": after.scores, "changes": score_changes(before.scores, after.scores)},
        "settings": _settings(before, after),
    }


def _held(home: Home, record: ReleaseRecord) -> Held:
    import pyarrow.compute as pc

    from search_index.home import newest_with_index, trusted_manifest

    manifest = trusted_manifest(home, record)
    reader = home.engine.open(manifest.index, record.revision, head=newest_with_index(home, manifest.index).revision)
    try:
        reader.check(record.revision)
        ledger = reader.ledger()
        seen = pc.and_(pc.less_equal(ledger["valid_from"], record.revision), pc.greater(ledger["valid_to"], record.revision))
        rows = ledger.filter(seen).select(["chunk_id", "document_id", "payload_digest", "point_id"]).to_pydict()
    finally:
        reader.close()
    return Held(
        dict(zip(rows["chunk_id"], rows["payload_digest"], strict=True)),
        dict(zip(rows["chunk_id"], rows["document_id"], strict=True)),
        dict(zip(rows["document_id"], rows["point_id"], strict=True)),
    )


def _by_document(held: Held) -> dict[str, str]:
    """What identifies the state of each document: its chunks and their digests."""
    found: dict[str, list[str]] = {}
    for chunk, document in held.document_of.items():
        found.setdefault(document, []).append(f"{chunk}={held.digests[chunk]}")
    return {document: "\n".join(sorted(chunks)) for document, chunks in found.items()}


def _changes(before: dict[str, str], after: dict[str, str]) -> Changes:
    return Changes(
        sorted(after.keys() - before.keys()),
        sorted(before.keys() - after.keys()),
        sorted(key for key in before.keys() & after.keys() if before[key] != after[key]),
    )


def _addresses(home: Home, record: ReleaseRecord, held: Held, documents: Sequence[str]) -> dict[str, str]:
    """The address of each document, from one of its points."""
    from search_index.home import newest_with_index

    if not documents or record.manifest is None:
        return {}
    index = record.manifest.index
    reader = home.engine.open(index, record.revision, head=newest_with_index(home, index).revision)
    try:
        payloads = reader.payloads([held.points[document] for document in documents])
    finally:
        reader.close()
    return {document: str(payloads[held.points[document]]["uri"]) for document in documents if held.points[document] in payloads}


def score_changes(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, dict[str, dict[str, float]]]:
    """Mode, measure -> what it was, what it is, and the difference, where both releases were measured.

    Each was measured on the golden sets of its day; where these differ, so do the questions, and `settings` says ``golden``.
    """
    changes: dict[str, dict[str, dict[str, float]]] = {}
    old, new = _measured(before), _measured(after)
    for mode, measure in sorted(old.keys() & new.keys()):
        a, b = old[mode, measure], new[mode, measure]
        changes.setdefault(mode, {})[measure] = {"a": a, "b": b, "difference": round(b - a, 6)}
    return changes


def _measured(scores: Mapping[str, object]) -> dict[tuple[str, str], float]:
    modes = scores.get("modes")
    found: dict[tuple[str, str], float] = {}
    for mode, measures in modes.items() if isinstance(modes, dict) else ():
        for measure, figure in measures.items() if isinstance(measures, dict) else ():
            value = figure.get("value") if isinstance(figure, dict) else figure
            if isinstance(value, int | float):
                found[str(mode), str(measure)] = float(value)
    return found


def _settings(before: ReleaseRecord, after: ReleaseRecord) -> dict[str, object]:
    """What else of the manifests differs, as ``{name: {a, b}}``."""
    if before.manifest is None or after.manifest is None:
        return {}
    both = [record.manifest.model_dump(mode="json") for record in (before, after) if record.manifest]
    named = ("index", "model", "bm25", "ranking", "golden", "held", "override")
    changed: dict[str, object] = {name: {"a": both[0][name], "b": both[1][name]} for name in named if both[0][name] != both[1][name]}
    contracts = [{source: pin["contract_version"] + " " + pin["contract"][:12] for source, pin in each["sources"].items()} for each in both]
    if contracts[0] != contracts[1]:
        changed["contracts"] = {"a": contracts[0], "b": contracts[1]}
    return changed


def _show(document: dict[str, object]) -> None:
    from rich.text import Text

    console = out()
    console.print(f"From release {document['a']} to {document['b']}:")
    styles = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
    for kind in ("documents", "chunks"):
        changes = document[kind]
        assert isinstance(changes, dict)
        counts = ", ".join(f"{len(ids):,} {how}" for how, ids in changes.items())
        console.print(f"[bold]{kind}[/bold]  {counts}")
        for how, ids in changes.items():
            mark, style = styles[how]
            for each in ids[:SHOWN]:
                console.print(Text(f"  {mark} {each}", style=style), soft_wrap=True)
            if len(ids) > SHOWN:
                console.print(Text(f"  {mark} ... and {len(ids) - SHOWN:,} more (--json has them all)", style="dim"))
    scores = document["scores"]
    changes = scores["changes"] if isinstance(scores, dict) else {}
    rows = [
        [mode, measure, f"{figure['a']:.3f}", f"{figure['b']:.3f}", f"{figure['difference']:+.3f}"]
        for mode, measures in changes.items()
        for measure, figure in measures.items()
    ]
    if rows:
        names = ("mode", "measure", str(document["a"]), str(document["b"]), "change")
        console.print(table(names, rows, numbers=names[2:]))
    else:
        console.print("[bold]scores[/bold]  not both were measured")
    settings = document["settings"]
    for name in settings if isinstance(settings, dict) else ():
        console.print(Text(f"{name} differs (--json shows how)", style="yellow"))
