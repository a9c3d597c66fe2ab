"""What ``plumbline up`` says once everything answers: where to look, what is live, and three questions to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbline.cli.banner import tell_access, tell_orders
from plumbline.cli.output import json_output, out
from plumbline.cli.ready import address_of, dagster_address, fetch

if TYPE_CHECKING:
    from search_index.model.release import ReleaseRecord
    from search_index.settings import Settings

EXAMPLES = 3


def announce(settings: Settings) -> None:
    """Print it, or with ``--json`` say it as the document."""
    facts = gather(settings)
    output = json_output()
    if output is not None:
        output.say(facts)
    else:
        _show(facts)
    tell_access(settings)
    tell_orders(settings)


def gather(settings: Settings) -> dict[str, object]:
    """Addresses, the live release and its nDCG@10, and example searches with their best hits where the running service asks for no key."""
    service = address_of(settings)
    live = _live(settings)
    return {
        "console": f"{service}/",
        "api": f"{service}/openapi.json",
        "dagster": dagster_address(settings),
        "home": str(settings.root),
        "release": live.revision if live else None,
        "ndcg@10": ndcg_of(live.scores) if live else None,
        "examples": _examples(settings, service) if live else [],
        "logs": str(settings.root / "logs"),
    }


def _live(settings: Settings) -> ReleaseRecord | None:
    """The live release as the catalog has it: the service may ask for a key, and this process has none."""
    from plumbline.cli.settings import existing_home, has_home

    if not has_home(settings):
        return None
    catalog = existing_home(settings).catalog
    pointer = catalog.pointer()
    return catalog.release(pointer.live) if pointer.live is not None else None


def ndcg_of(scores: object) -> float | None:
    """nDCG@10 of the hybrid mode among a release's scores, None when it was not measured."""
    found = scores
    for key in ("modes", "hybrid", "ndcg@10", "value"):
        found = found.get(key) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) else None


def _examples(settings: Settings, service: str) -> list[dict[str, str]]:
    examples = []
    for query in _questions(settings) or _titles(service):
        hits = _hits(service, query, 1)
        if hits:
            examples.append({"query": query, "hit": str(hits[0].get("title") or hits[0].get("uri")), "uri": str(hits[0].get("uri"))})
    return examples


def _questions(settings: Settings) -> list[str]:
    """Questions from the golden sets, evenly over them."""
    from quality_checks.golden import load_golden_folder
    from search_index.errors import PlumblineError

    try:
        sets = load_golden_folder([folder / "golden" for folder in settings.contract_folders])
    except PlumblineError:  # the evaluation has said what is wrong with them
        return []
    queries = [query.query for golden in sets for query in golden.queries]
    return queries[:: max(1, len(queries) // EXAMPLES)][:EXAMPLES]


def _titles(service: str) -> list[str]:
    """Titles of documents, where nobody has written questions."""
    titles = [str(hit.get("title")) for hit in _hits(service, "overview", 20) if hit.get("title")]
    return list(dict.fromkeys(titles))[:EXAMPLES]


def _hits(service: str, query: str, limit: int) -> list[dict[str, object]]:
    answer = fetch(f"{service}/v1/search", {"query": query, "limit": limit}) or {}
    hits = answer.get("hits")
    return [hit for hit in hits if isinstance(hit, dict)] if isinstance(hits, list) else []


def _show(facts: dict[str, object]) -> None:
    from rich.text import Text

    console = out()
    console.print()
    for label, key in (("Search console", "console"), ("API description", "api"), ("Dagster", "dagster"), ("Logs", "logs")):
        console.print(Text.assemble(f"  {label:<17}", (str(facts[key]), "bold cyan")), soft_wrap=True)
    ndcg = facts["ndcg@10"]
    if facts["release"] is None:
        console.print(Text.assemble(f"  {'Live release':<17}", ("none yet; run `plumbline ingest PATH`", "yellow")))
    else:
        quality = f", nDCG@10 {ndcg:.3f}" if isinstance(ndcg, float) else ", not measured: there is no golden set"
        console.print(f"  {'Live release':<17}{facts['release']}{quality}")
    examples = facts["examples"]
    for example in examples if isinstance(examples, list) else []:
        console.print()
        console.print(Text.assemble("  plumbline search ", (f"'{example['query']}'", "cyan")), soft_wrap=True)
        console.print(Text.assemble("    ", (example["hit"], "bold"), "  ", (example["uri"], "dim")), soft_wrap=True)
    console.print()
    console.print(Text("  Ctrl-C stops everything.", style="dim"))
