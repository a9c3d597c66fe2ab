"""Changes that do no harm are published: the gates tell worse from different."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.gates.healthy import OTHER, Bench

pytestmark = pytest.mark.slow
FALSE_REFUSALS_IN = 25
"""One false refusal is let pass in so many edits."""


@dataclass(frozen=True)
class Harmless:
    """An ordinary change."""

    name: str
    change: Callable[[Bench], None]


def typos(bench: Bench) -> None:
    bench.rewrite(lambda text: text.replace("patients", "people", 1).replace("effects", "effect", 1), 10)


def added(bench: Bench) -> None:
    for number, path in enumerate(sorted((bench.project.root / "sources" / OTHER).glob("*.md"))[:4]):
        (bench.folder / f"added{number}.md").write_text(path.read_text().replace("library", "clinic"))


def renamed(bench: Bench) -> None:
    for path in bench.files[:3]:
        path.rename(path.with_name(f"renamed-{path.name}"))


def moved(bench: Bench) -> None:
    (bench.folder / "archive").mkdir()
    for path in bench.files[:5]:
        path.rename(bench.folder / "archive" / path.name)


def new_section(bench: Bench) -> None:
    bench.rewrite(lambda text: text + "\n## Remarks\n\nThe committee discussed these results, and asked for a larger trial next year.\n", 4)


def reformatted(bench: Bench) -> None:
    bench.rewrite(lambda text: text.replace(". ", ".\n"))


def shortened(bench: Bench) -> None:
    bench.rewrite(lambda text: text[: int(0.9 * len(text))].rsplit(" ", 1)[0] + ".\n", 6)


def removed(bench: Bench) -> None:
    for path in bench.files[8:11]:
        path.unlink()


def stricter(bench: Bench) -> None:
    bench.contract(lambda text: text.replace("mustBeGreaterThan: 15", "mustBeGreaterThan: 20").replace("version: 1.0.0", "version: 1.1.0"))


def described(bench: Bench) -> None:
    bench.contract(lambda text: text.replace("purpose: ", "purpose: Abstracts. ").replace("version: 1.0.0", "version: 1.0.1"))
    bench.edit(1)


def dated(bench: Bench) -> None:
    bench.rewrite(lambda text: text + "\nLast reviewed in November.\n")


def new_source(bench: Bench) -> None:
    bench.project.source(
        "notes", {f"n{number}.txt": f"Note {number}: the {number}th shelf holds atlases and maps.\n" for number in range(6)}
    )


HARMLESS = [
    Harmless("typos mended", typos),
    Harmless("documents added", added),
    Harmless("files renamed", renamed),
    Harmless("files moved to a folder", moved),
    Harmless("a section added", new_section),
    Harmless("lines broken elsewhere", reformatted),
    Harmless("documents shortened a little", shortened),
    Harmless("documents removed", removed),
    Harmless("a stricter contract", stricter),
    Harmless("a contract described better", described),
    Harmless("a line added to every document", dated),
    Harmless("a new source", new_source),
]


@pytest.mark.parametrize("harmless", HARMLESS, ids=lambda harmless: harmless.name)
def test_a_harmless_change_is_published(bench: Bench, harmless: Harmless) -> None:
    harmless.change(bench)
    ran = bench.run()
    assert ran.reasons == []
    assert ran.failed("error") == set()
    assert ran.decision.status in ("published", "unchanged")
    if harmless.name != "a stricter contract":
        assert bench.live == 2


def small_edit(bench: Bench, seed: int) -> None:
    """About 1% of the words, in a document or two: some changed places, some gone, some said twice."""
    chosen = random.Random(seed)
    words = sum(len(path.read_text().split()) for path in bench.files)
    left = max(1, words // 100)
    for path in chosen.sample(bench.files, chosen.randint(1, 3)):
        lines = path.read_text().split("\n")
        at = max(range(len(lines)), key=lambda line: len(lines[line]))
        line = lines[at].split()
        for _ in range(min(left, len(line) // 3)):
            place = chosen.randrange(len(line) - 1)
            what = chosen.choice(["swap", "drop", "repeat"])
            if what == "swap":
                line[place], line[place + 1] = line[place + 1], line[place]
            elif what == "drop":
                del line[place]
            else:
                line.insert(place, line[place])
            left -= 1
        lines[at] = " ".join(line)
        path.write_text("\n".join(lines))


def test_small_edits_are_not_refused(bench: Bench, rounds: int, record_property: Callable[[str, object], None]) -> None:
    """Each is made to the published state, not to the one before: they are independent."""
    refused = []
    for seed in range(rounds):
        bench.put_back()
        small_edit(bench, seed)
        ran = bench.run()
        assert ran.decision.status in ("published", "held", "refused")
        if ran.decision.status != "published" or ran.reasons:
            refused.append((seed, ran.reasons))
    record_property("edits", rounds)
    record_property("refused", len(refused))
    assert len(refused) <= rounds // FALSE_REFUSALS_IN, refused
