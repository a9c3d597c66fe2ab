"""The Dagster UI as an operator sees it, in a real browser: lanes, their checks, and a source that is held."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from pipelines.dagster_home import dagster_home
from quality_checks.gates import EVALUATION_CHECKS
from tests.pipelines.test_gates import corrupt, edit_animals
from tests.project import ANIMALS, MACHINES, Project

pytestmark = [pytest.mark.slow, pytest.mark.browser]
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=2400,1500",
)  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[tuple[str, str]]:
    """The address of a Dagster UI over a home in which one source is held and one file quarantined; and the id of a run that failed."""
    project = Project(tmp_path_factory.mktemp("ui"))
    folder = project.source("animals", ANIMALS)
    (folder / "torn.pdf").write_text("this is no PDF")
    project.source("machines", MACHINES)
    project.options = {"model": "no-such-model"}
    failed = project.ingest().run_id
    project.options = {}
    project.ingest()
    edit_animals(project)
    corrupt(project, "vectors", "machines", "vector", [0.0] * 384)
    project.ingest()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PLUMBLINE_HOME": str(project.settings.root),
        "PLUMBLINE_CONTRACTS": str(project.root / "contracts"),
        "DAGSTER_HOME": str(dagster_home(project.settings)),
    }
    command = [sys.executable, "-m", "dagster_webserver", "-m", "pipelines.definitions", "-h", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, server)
        yield address, failed
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=30)


@pytest.fixture
def dagster_ui(served: tuple[str, str]) -> str:
    """The address of the Dagster UI."""
    return served[0]


@pytest.fixture
def failed_run(served: tuple[str, str]) -> str:
    """The id of a run that failed for want of a model."""
    return served[1]


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/server_info", timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError("the Dagster UI did not come up")


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    driver = shutil.which("chromedriver")
    if driver is None:
        pytest.skip("needs chromedriver: install Debian's chromium and chromium-driver to run this")
    options = Options()
    for flag in _FLAGS:
        options.add_argument(flag)
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    yield chrome
    chrome.quit()


def see(browser: webdriver.Chrome, *texts: str) -> str:
    """Wait until the page shows all of these, and give what it shows."""

    def shown(_: webdriver.Chrome) -> str | None:
        body = str(browser.find_element(By.TAG_NAME, "body").text)
        return body if all(text in body for text in texts) else None

    found = WebDriverWait(browser, 60).until(shown, f"the page does not show {texts}")
    assert found is not None
    return found


def test_the_asset_graph_reads_like_a_map(dagster_ui: str, browser: webdriver.Chrome, tmp_path: Path) -> None:
    browser.get(f"{dagster_ui}/asset-groups")
    see(browser, "Global asset lineage", "animals", "machines", "release")
    assert "Join the Dagster community" not in browser.page_source
    browser.save_screenshot(str(tmp_path / "groups.png"))
    failed: dict[str, list[int]] = {}
    for group in ("animals", "machines"):
        browser.get(f"{dagster_ui}/locations/pipelines.definitions/asset-groups/{group}/lineage")
        text = see(browser, "manifest", "documents", "chunks", "vectors", "Delta Lake", "Materialized")
        browser.save_screenshot(str(tmp_path / f"{group}.png"))
        checks = [(int(passed), int(of)) for passed, of in re.findall(r"(\d+) / (\d+) Passed", text)]
        assert len(checks) == 4, "one line of checks an asset"
        failed[group] = [of - passed for passed, of in checks]
    assert sum(failed["machines"]) >= sum(failed["animals"]) + 2, "the two checks of the defect show"
    browser.get(f"{dagster_ui}/locations/pipelines.definitions/asset-groups/release/lineage")
    text = see(browser, "candidate", "evaluation", "release", "embedding_model", "golden_set", "Materialized")
    browser.save_screenshot(str(tmp_path / "release.png"))
    assert f"{len(EVALUATION_CHECKS)} / {len(EVALUATION_CHECKS)} Passed" in text


def test_a_held_source_says_why_and_what_was_found(dagster_ui: str, browser: webdriver.Chrome, tmp_path: Path) -> None:
    browser.get(f"{dagster_ui}/assets/machines/vectors?view=checks")
    see(browser, "vector_not_zero")
    browser.get(f"{dagster_ui}/assets/candidate?view=checks&checkDetail=no_source_held")
    text = see(browser, "no_source_held")
    browser.save_screenshot(str(tmp_path / "held.png"))
    assert "machines" in see(browser, "Held at its published state") or "machines" in text


def test_an_asset_says_owner_counts_and_what_changed(dagster_ui: str, browser: webdriver.Chrome, tmp_path: Path) -> None:
    browser.get(f"{dagster_ui}/assets/animals/chunks")
    text = see(browser, "Passages that fit the encoder", "what_changed", "cut", "plumbline/classification: internal")
    browser.save_screenshot(str(tmp_path / "chunks.png"))
    assert "crested newt" not in text


def test_the_quarantine_is_a_table_with_reason_and_remedy(dagster_ui: str, browser: webdriver.Chrome, tmp_path: Path) -> None:
    browser.get(f"{dagster_ui}/assets/animals/documents")
    see(browser, "animals:torn.pdf", "not a PDF", "Save it again")
    browser.save_screenshot(str(tmp_path / "quarantine.png"))
    link = WebDriverWait(browser, 30).until(lambda b: b.find_element(By.PARTIAL_LINK_TEXT, "animals:torn.pdf"))
    assert "/v1/lineage/" in str(link.get_attribute("href"))


def test_a_plot_is_drawn_and_reaches_for_nothing(dagster_ui: str, browser: webdriver.Chrome, tmp_path: Path) -> None:
    for asset, plot in (("chunks", "lengths"), ("documents", "formats"), ("documents", "languages")):
        browser.get(f"{dagster_ui}/assets/animals/{asset}")
        see(browser, plot)
        _open_markdown(browser, plot)
        shown = WebDriverWait(browser, 30).until(lambda b: b.find_element(By.CSS_SELECTOR, "img[src^='data:image/png']"))
        WebDriverWait(browser, 30).until(lambda b, s=shown: b.execute_script("return arguments[0].naturalWidth", s) > 600)  # type: ignore[misc]
        browser.save_screenshot(str(tmp_path / f"{plot}.png"))
        size = shown.size
        assert size["width"] > 500
        assert size["height"] < 500


def test_a_failed_check_says_what_was_found(dagster_ui: str, browser: webdriver.Chrome, tmp_path: Path) -> None:
    browser.get(f"{dagster_ui}/assets/machines/vectors?view=checks&checkDetail=vector_not_zero")
    see(browser, "vector_not_zero", "Failed", "100")
    browser.save_screenshot(str(tmp_path / "failed_check.png"))


def test_a_failed_run_says_what_to_do(dagster_ui: str, browser: webdriver.Chrome, failed_run: str, tmp_path: Path) -> None:
    browser.get(f"{dagster_ui}/runs/{failed_run}")
    see(browser, "embedding_model", "There is no embedding model no-such-model", "Give a model's folder")
    browser.save_screenshot(str(tmp_path / "failed_run.png"))


def test_the_automation_is_on_and_says_what_it_does(dagster_ui: str, browser: webdriver.Chrome, tmp_path: Path) -> None:
    browser.get(f"{dagster_ui}/automation")
    see(browser, "observe_sources", "automation", "alerts", "ingest_daily", "03:30 AM UTC")
    browser.save_screenshot(str(tmp_path / "automation.png"))


def _open_markdown(browser: webdriver.Chrome, key: str) -> None:
    """Open what stands behind a row's "Show Markdown"."""
    button = f"//tr[.//td[normalize-space()='{key}']]//*[contains(text(), 'Show Markdown')]"
    WebDriverWait(browser, 60).until(lambda b: b.find_element(By.XPATH, button)).click()
