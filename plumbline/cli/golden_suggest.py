"""Silver questions: the headings of indexed documents, each asking for the passages below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quality_checks.golden import GoldenSet
    from search_index.home import Home

AUTHOR = "made by `plumbline golden suggest` from headings: silver, not judged by a person"
TAG = "silver"
_LEAST_WORDS = 2
_QUOTE_WORDS = 12


def suggested_set(home: Home, source: str, most: int) -> GoldenSet:
    """Known-item questions for one source of the live release: a heading that occurs once asks for the passage that begins below it.

    Errors:
        WrongUsage: the live release does not hold the source, or nothing of it has a heading that could be asked for.
    """
    from quality_checks.golden import GoldenQuery, GoldenSet, Judgement
    from search_index.errors import WrongUsage
    from search_index.home import trusted_manifest

    manifest = trusted_manifest(home, home.catalog.resolve(None))
    if source not in manifest.sources:
        raise WrongUsage(f"The live release has no source {source!r}.", f"It has: {', '.join(sorted(manifest.sources)) or 'none'}.")
    found = _headings(home.settings.lake, source, manifest.sources[source].chunks.version, manifest.sources[source].documents.version)
    chosen = found[:: max(1, len(found) // most)][:most]
    if not chosen:
        raise WrongUsage(f"No document of {source} has headings to ask for.", "Write the first questions by hand; see docs/golden-sets.md.")
    queries = tuple(
        GoldenQuery(id=f"silver{number:04d}", query=heading, tags=(TAG,), relevant=(Judgement(document=uri, quote=quote, grade=1),))
        for number, (heading, uri, quote) in enumerate(chosen, start=1)
    )
    return GoldenSet(name=f"{source}_silver", author=AUTHOR, queries=queries)


def _headings(lake_url: str, source: str, chunks_version: int, documents_version: int) -> list[tuple[str, str, str]]:
    """Heading, document and the words that begin the first passage below it; headings that occur in several places are left out."""
    from pipelines.tables import Lake

    lake = Lake(lake_url)
    uris = lake.read_source("documents", source, columns=["document_id", "uri"], version=documents_version)
    uri_of = dict(zip(uris["document_id"].to_pylist(), uris["uri"].to_pylist(), strict=True))
    chunks = lake.read_source("chunks", source, columns=["document_id", "ordinal", "section", "text"], version=chunks_version)
    places: dict[str, dict[tuple[str, ...], tuple[str, str]]] = {}
    for row in chunks.sort_by([("document_id", "ascending"), ("ordinal", "ascending")]).to_pylist():
        section = tuple(row["section"] or ())
        if not section or len(section[-1].split()) < _LEAST_WORDS:
            continue
        uri = str(uri_of[row["document_id"]])
        quote = " ".join(str(row["text"]).split()[:_QUOTE_WORDS])
        places.setdefault(section[-1].casefold(), {}).setdefault((uri, *section), (uri, quote))
    headings = {section[-1].casefold(): section[-1] for below in places.values() for _, *section in below}
    once = [(headings[key], *next(iter(below.values()))) for key, below in places.items() if len(below) == 1]
    return sorted(once, key=lambda found: (found[1], found[0]))
