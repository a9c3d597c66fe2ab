"""What a step shows in the Dagster UI: plots that stand while little changes, and never a word of text."""

from __future__ import annotations

import base64
import json
import re

import dagster as dg
import pytest

from pipelines.run import dagster_instance
from pipelines.show.languages import language_shares
from pipelines.show.plots import lengths_plot, shares_plot
from pipelines.show.tables import file_address
from quality_checks.contracts import Contract
from tests.project import Project


def png_of(value: dg.MetadataValue) -> bytes:
    assert isinstance(value, dg.MarkdownMetadataValue)
    found = re.search(r"data:image/png;base64,([^)]+)\)", value.md_str or "")
    assert found is not None
    return base64.b64decode(found[1])


def test_plots_are_png_images_of_a_modest_size() -> None:
    for plot in (lengths_plot([12, 200, 256] * 50, 256, "reports"), shares_plot({"md": 3, "pdf": 1}, "reports: formats", "documents")):
        png = png_of(plot)
        assert png.startswith(b"\x89PNG")
        assert len(png) < 60_000


def test_languages_are_told_apart_and_too_little_text_is_unclear() -> None:
    texts = [
        "The otter hunts eels at dusk in slow rivers and sleeps under the roots of an alder tree.",
        "Der Fischotter jagt in der Dämmerung nach Aalen und schläft unter den Wurzeln einer Erle.",
        "La loutre chasse les anguilles au crépuscule et dort sous les racines d'un aulne.",
        "42",
    ]
    assert language_shares(texts) == {"en": 1, "de": 1, "fr": 1, "unclear": 1}


def test_a_files_address_is_a_url_whatever_its_name() -> None:
    local = Contract(name="a", version="1", digest="d", status="active", owner="o", location="/srv/docs")
    assert file_address(local, "a b/c#.md") == "file:///srv/docs/a%20b/c%23.md"
    assert file_address(local.model_copy(update={"location": "s3://bucket/docs/"}), "x.md") == "s3://bucket/docs/x.md"


@pytest.mark.slow
def test_plots_stand_while_little_changes_and_no_text_is_told(project: Project) -> None:
    folder = project.root / "sources" / "animals"
    for n in range(40):
        (folder / f"field{n}.md").write_text(f"# Field {n}\n\nField {n} is grazed by heifers from spring until the first frost.\n")
    (folder / "torn.pdf").write_text("this is no PDF")

    def shown(asset: str) -> dict[str, dg.MetadataValue]:
        event = dagster_instance(project.settings).get_latest_materialization_event(dg.AssetKey(["animals", asset]))
        assert event is not None
        assert event.asset_materialization is not None
        assert "heifers" not in json.dumps(repr(event.asset_materialization.metadata))
        return dict(event.asset_materialization.metadata)

    project.ingest()
    first = {asset: shown(asset) for asset in ("documents", "chunks")}
    assert first["documents"].keys() >= {"formats", "languages", "quarantine", "links_to_quarantine", "links_to_changed", "per_second"}
    lengths = png_of(first["chunks"]["lengths"])
    (folder / "field0.md").write_text("# Field 0\n\nField 0 is now a wood.\n")
    project.ingest()
    assert png_of(shown("chunks")["lengths"]) == lengths, "one of 44"
    assert shown("documents")["changed_since_plots"].value == 1
    assert "quarantine" in shown("documents")
    for n in range(1, 6):
        (folder / f"field{n}.md").write_text(f"# Field {n}\n\nPloughed.\n")
    project.ingest()
    assert png_of(shown("chunks")["lengths"]) != lengths
    assert shown("documents")["changed_since_plots"].value == 0
