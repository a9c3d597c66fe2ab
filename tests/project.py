"""A small project in a temporary folder: sources of real files, a home, and what a user can do with them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.compute as pc

from pipelines.run import Outcome, ingest
from pipelines.workspace import LogProgress
from quality_checks.default_contract import default_contract
from search_index.home import Home, open_release, trusted_manifest
from search_index.model.search import OPEN_END, Filters, Mode, Principal, SearchAnswer, SearchRequest
from search_index.settings import Settings


def copied(root: Path, to: Path) -> Path:
    """A copy of a project's folder at a place where nothing is. Nearly all of an index's files are holes, and stay so."""
    subprocess.run(["cp", "--archive", "--sparse=always", str(root), str(to)], check=True)
    return to


Visible = set[tuple[str, str, tuple[str, ...]]]


@dataclass
class Project:
    """One home and the sources it ingests."""

    root: Path
    options: dict[str, object] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return Settings(home=self.root / "home", contracts=self.root / "contracts").model_copy(update=self.options)

    @property
    def home(self) -> Home:
        return Home(self.settings)

    def source(self, name: str, files: dict[str, str], edit: Callable[[str], str] = str) -> Path:
        """Write a source's files and its contract; ``edit`` changes the contract's text.

        The contract says where the files are from where it lies itself, so that a copy of the project is a project too.
        """
        folder = self.root / "sources" / name
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        contract = self.root / "contracts" / f"{name}.yaml"
        contract.parent.mkdir(exist_ok=True)
        contract.write_text(edit(default_contract(name, f"../sources/{name}")))
        return folder

    def golden(self, text: str) -> None:
        """Write the project's golden set."""
        (self.root / "contracts" / "golden").mkdir(parents=True, exist_ok=True)
        (self.root / "contracts" / "golden" / "golden.yaml").write_text(text)

    def ingest(self, sources: list[str] | None = None) -> Outcome:
        return ingest(self.settings, sources, LogProgress(lambda _: None), wait_s=0, say=lambda _: None)

    def search(
        self, query: str, mode: Mode = "hybrid", as_of: int | None = None, limit: int = 5, filters: Filters | None = None
    ) -> SearchAnswer:
        home = self.home
        loaded = open_release(home, home.catalog.resolve(as_of))
        try:
            request = SearchRequest(query=query, mode=mode, limit=limit, filters=filters or Filters())
            return loaded.searcher.search(request, loaded.ref, Principal())
        finally:
            loaded.close()
            home.catalog.close()

    def found(self, query: str, mode: Mode = "hybrid", as_of: int | None = None) -> list[str]:
        """The documents of the hits, best first."""
        return list(dict.fromkeys(hit.uri for hit in self.search(query, mode, as_of).hits))

    def visible(self) -> Visible:
        """What the head shows: chunk, vector and access of each point."""
        home = self.home
        manifest = trusted_manifest(home, home.catalog.release(home.catalog.pointer().head or 0))
        reader = home.engine.open(manifest.index, manifest.revision, head=manifest.revision)
        try:
            ledger = reader.ledger()
            current = ledger.filter(pc.equal(ledger["valid_to"], OPEN_END)).to_pylist()
            return {(row["chunk_id"], row["vector_sha256"], tuple(row["access"])) for row in current}
        finally:
            reader.close()
            home.catalog.close()


ANIMALS = {
    "otter.md": "# The otter\n\nThe otter hunts eels at dusk in slow rivers and sleeps in a holt under the roots of an alder tree.\n",
    "badger.md": "# The badger\n\nThe badger digs a sett with many tunnels and airs its bedding of dry bracken on fine mornings.\n",
    "heron.md": "# The heron\n\nThe grey heron stands motionless in the shallows and spears fish with a sudden thrust of its bill.\n",
    "swift.md": "# The swift\n\nThe common swift sleeps on the wing and lands only to lay its eggs under the eaves of old roofs.\n",
}
MACHINES = {
    "lathe.md": "# The lathe\n\nA lathe turns the workpiece against a tool; chatter is cured by a stiffer toolholder.\n",
    "kiln.txt": "The rotary kiln burns limestone to clinker at fourteen hundred degrees and is lined with refractory brick.\n",
    "pump.html": "<html><body><h1>The pump</h1><p>A pump loses its prime when air leaks in through the gland packing.</p></body></html>",
}
