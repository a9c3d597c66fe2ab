"""The console in a real browser, over the service in a thread of its own."""

from __future__ import annotations

import io
import re
import shutil
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi.testclient import TestClient
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from search_index.model.release import Held
from tests.retrieval_service.fakes import CHUNK, RUN, FakeIndex, Passage

ATTACK = "<img src=x onerror=\"document.title='broken in'\"> about a release"


def test_the_page_is_whole_in_itself(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "{{" not in answer.text.replace("${{", "")
    outside = re.findall(r"""(?:src|href)=["'](?!#|/|data:)([^"']*)""", answer.text)
    assert outside == []
    assert "innerHTML" not in answer.text


def test_its_policy_lets_nothing_else_run(client: TestClient) -> None:
    policy = dict(part.strip().split(" ", 1) for part in client.get("/").headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert re.fullmatch(r"'sha256-[\w+/=]{44}'", policy["script-src"])
    assert re.fullmatch(r"'sha256-[\w+/=]{44}'", policy["style-src"])


@pytest.fixture
def address(index: FakeIndex) -> Iterator[str]:
    app = create_app(index.settings, telemetry=Telemetry(io.StringIO()), load=index.load)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


class Page:
    """What a person sees and does."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver = driver
        self.address = address

    def open(self, view: str = "") -> None:
        self.driver.get("about:blank")
        self.driver.get(f"{self.address}/{view}")

    def find(self, selector: str, text: str = "") -> WebElement:
        def look(driver: webdriver.Chrome) -> WebElement | None:
            return next((e for e in driver.find_elements(By.CSS_SELECTOR, selector) if text in e.text), None)

        found = WebDriverWait(self.driver, 30, ignored_exceptions=[StaleElementReferenceException]).until(look, f"{selector} with {text!r}")
        assert found is not None
        return found

    def complaints(self) -> list[str]:
        """Errors on the browser's console, but for answers that are problems by design."""
        logged: list[dict[str, str]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [str(line["message"]) for line in logged if "Failed to load resource" not in str(line["message"])]


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs a browser: apt-get install chromium chromium-driver")
    options = Options()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Page(browser, address)
    finally:
        browser.quit()


@pytest.mark.browser
@pytest.mark.slow
def test_a_person_searches_and_follows_a_hit_to_its_origin(index: FakeIndex, page: Page) -> None:
    index.passages.append(
        Passage(ATTACK, path="attack.html", title=ATTACK, source="tickets", chunk_id="7f0c55ee-5a0c-5b51-8d28-3c4a2f3f6f01")
    )
    index.publish(scores={"modes": {"hybrid": {"ndcg@10": {"value": 0.742}}}})
    index.publish(scores={"modes": {"hybrid": {"ndcg@10": {"value": 0.751}}}}, held=[Held(source="tickets", reasons=["51 h old"])])
    page.open()
    page.find("#state", "Release 2")
    page.find("#state", "0.751")
    page.find("#state", "1 source held")
    page.find("input[type=search]").send_keys("release pointer", Keys.ENTER)
    page.find(".tally", "2 passages in release 2")
    page.find(".hit mark", "pointer")
    page.find(".hit .cite", "page 3")
    assert page.find(".hit:nth-child(2) h3").text == ATTACK
    assert page.driver.title == "release pointer · Plumbline"
    assert page.driver.find_elements(By.CSS_SELECTOR, "main img") == []

    page.find(".chips label", "handbook").click()
    page.find(".tally", "1 passage in release 2")
    page.find(".hit summary").click()
    assert page.find(".origin a.mono").get_attribute("href") == f"http://127.0.0.1:3000/runs/{RUN}"
    page.find(".origin a", "files, runs").click()
    page.find("main h1", "Lineage")
    page.find("main", CHUNK)
    page.find("td", "nDCG@10 0.742 is above the floor of 0.2")
    assert page.complaints() == []


@pytest.mark.browser
@pytest.mark.slow
def test_a_person_reads_releases_and_quality(index: FakeIndex, page: Page) -> None:
    index.publish(scores={"modes": {"hybrid": {"ndcg@10": {"value": 0.74, "ci95": [0.7, 0.78]}}}})
    index.refuse(["nDCG@10 fell by 0.09"], scores={"modes": {"hybrid": {"ndcg@10": {"value": 0.65}}}})
    page.open("#/releases")
    page.find("tbody tr:nth-child(1)", "rejected")
    page.find("tbody tr:nth-child(1)", "nDCG@10 fell by 0.09")
    page.find("tbody a[href='#/releases/1']").click()
    page.find("main h1", "Release 1")
    page.find("td", "128 of 128 documents are there")
    page.open("#/quality")
    page.find(".fact .value", "0.740")
    assert len(page.driver.find_elements(By.CSS_SELECTOR, ".chart circle.refused")) == 1
    assert page.complaints() == []


@pytest.mark.browser
@pytest.mark.slow
def test_before_the_first_release_it_says_what_to_do_and_wakes_up_by_itself(index: FakeIndex, page: Page) -> None:
    page.open()
    page.find("main", "Nothing is published yet")
    page.find("main pre", "plumbline ingest PATH")
    index.publish()
    page.find("main h1", "Ask the index")
    page.find("#state", "Release 1")
    assert page.complaints() == []
