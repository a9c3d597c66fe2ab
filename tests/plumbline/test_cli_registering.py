"""``plumbline ingest PATH``: which source a path becomes, and that a contract is never written over."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from pipelines.sources import open_source
from plumbline.cli.registering import Registered, register_source
from quality_checks.contracts import load_contracts
from search_index.errors import ContractInvalid, WrongUsage
from search_index.settings import Settings
from tests.pipelines.sources.web import Page, served


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", contracts=tmp_path / "contracts")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "My Docs").mkdir()
    return tmp_path / "My Docs"


def test_a_new_path_gets_a_contract_that_everyone_may_read(settings: Settings, docs: Path) -> None:
    registered = register_source(settings, str(docs), None)
    assert registered.written == settings.root / "contracts" / "my_docs.yaml"
    good, broken = load_contracts(settings.contract_folders, settings.contract_variables)
    assert not broken
    assert (good["my_docs"].location, good["my_docs"].access_groups) == (str(docs), ("everyone",))


def test_the_same_path_again_keeps_its_contract_as_edited(settings: Settings, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = register_source(settings, str(docs), "handbook")
    assert first.written is not None
    edited = first.written.read_text().replace("1.0.0", "1.1.0")
    first.written.write_text(edited)
    monkeypatch.chdir(docs.parent)
    again = register_source(settings, "My Docs/", None)
    assert (again.source, again.written) == ("handbook", None)
    assert first.written.read_text() == edited


@pytest.mark.parametrize("name", [None, "my_docs"])
def test_a_name_that_belongs_elsewhere_is_refused(settings: Settings, docs: Path, tmp_path: Path, name: str | None) -> None:
    register_source(settings, str(docs), None)
    other = tmp_path / "other" / "my docs"
    other.mkdir(parents=True)
    with pytest.raises(WrongUsage, match="taken") as refused:
        register_source(settings, str(other), name)
    assert "--name" in refused.value.remedy
    assert len(list((settings.root / "contracts").iterdir())) == 1


def test_a_file_is_a_source_too(settings: Settings, docs: Path) -> None:
    file = docs / "10-K.txt"
    file.write_text("x")
    registered = register_source(settings, str(file), None)
    assert registered.location == str(file)
    assert registered.source == "source_10_k_txt"


def test_a_url_is_looked_at_before_a_contract_is_written(settings: Settings, docs: Path) -> None:
    assert register_source(settings, f"file://{docs}", None).source == "my_docs"
    with pytest.raises(WrongUsage, match="does not exist"):
        register_source(settings, f"file://{docs}/missing", None)
    assert len(list((settings.root / "contracts").iterdir())) == 1


def test_a_contract_that_does_not_validate_is_not_written_over(settings: Settings, docs: Path) -> None:
    broken = settings.root / "contracts" / "my_docs.yaml"
    broken.parent.mkdir(parents=True)
    broken.write_text("name: my_docs\n")
    with pytest.raises(ContractInvalid):
        register_source(settings, str(docs), None)
    assert broken.read_text() == "name: my_docs\n"


def test_a_path_no_name_can_be_made_of_asks_for_one(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    with pytest.raises(WrongUsage) as asked:
        register_source(settings, str(tmp_path / "release"), None)
    assert "--name" in asked.value.remedy
    assert register_source(settings, str(tmp_path / "release"), "notes").source == "notes"


def test_an_archive_becomes_the_source_of_its_files(settings: Settings, docs: Path) -> None:
    with zipfile.ZipFile(docs / "Papers 2024.zip", "w") as archive:
        archive.writestr("a.md", "text")
    registered = register_source(settings, str(docs / "Papers 2024.zip"), None)
    assert registered == Registered("papers_2024_zip", f"zip://::{docs}/Papers 2024.zip", registered.written)
    again = register_source(settings, registered.location, None)
    assert (again.source, again.written) == ("papers_2024_zip", None)
    good, broken = load_contracts(settings.contract_folders, settings.contract_variables)
    assert not broken and [item.path for item in open_source(good["papers_2024_zip"]).list()] == ["a.md"]
    with pytest.raises(WrongUsage, match="does not exist"):
        register_source(settings, f"tar://::{docs}/gone.tar", None)


def test_a_sitemap_becomes_a_website_and_a_file_on_the_web_stays_one(settings: Settings) -> None:
    with served() as site:
        site.sitemap("/a")
        site.pages["/data.csv"] = Page(b"x")
        assert register_source(settings, f"{site.url}/sitemap.xml", "site").written
        assert register_source(settings, f"{site.url}/data.csv", "data").written
        with pytest.raises(WrongUsage, match="does not exist"):
            register_source(settings, f"{site.url}/nothing", "nothing")
        good, broken = load_contracts(settings.contract_folders, settings.contract_variables)
        assert not broken and (good["site"].format, good["data"].format) == ("website", "files")
        assert [item.path for item in open_source(good["site"]).list()] == ["a.html"]


def test_a_password_is_not_written_into_a_contract(settings: Settings) -> None:
    with pytest.raises(WrongUsage, match="password") as refused:
        register_source(settings, "sftp://me:hunter2@host/docs", None)
    assert "hunter2" not in str(refused.value)
    assert not (settings.root / "contracts").exists()


def test_an_unreachable_server_is_named(settings: Settings) -> None:
    with pytest.raises(WrongUsage, match="cannot be reached"):
        register_source(settings, "http://127.0.0.1:9/x/", "x")
