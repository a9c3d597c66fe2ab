"""The console of a service that asks for keys, in a real browser."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.retrieval_service.access.conftest import issue
from tests.retrieval_service.fakes import FakeIndex
from tests.retrieval_service.test_console import Page, address, page  # noqa: F401 - fixtures


@pytest.mark.browser
@pytest.mark.slow
def test_a_person_gives_their_key_and_it_stays_in_the_tab(index: FakeIndex, page: Page) -> None:  # noqa: F811
    index.publish()
    reader, governor = issue(index, ["search"]), issue(index, ["search", "history", "governance"])
    page.open()
    page.find("main", "asks for a key")
    page.find("input[type=search]").send_keys("release pointer", Keys.ENTER)
    page.find("main h1", "This takes a key or token")

    give(page, "nonsense")
    page.find("#key p", "not valid")
    give(page, reader.secret)
    page.find(".tally", "1 passage in release 1")
    page.find("#state", "Release 1")
    page.open("#/releases")
    page.find("main h1", "`governance`")

    give(page, governor.secret)
    page.find("tbody tr:nth-child(1)", "live")
    stored = page.driver.execute_script("return [sessionStorage.length, localStorage.length, document.cookie, location.href]")
    assert stored[:3] == [1, 0, ""]
    assert governor.secret not in page.driver.page_source + stored[3]
    page.open("#/lineage/1")
    page.find("main a", "As JSON").click()
    page.find("#key summary", "Key in use").click()
    page.find("#key [type=button]", "Forget").click()
    page.find("main h1", "This takes a key or token")
    assert page.driver.execute_script("return sessionStorage.length") == 0
    assert page.complaints() == []


@pytest.mark.browser
@pytest.mark.slow
def test_development_mode_is_said_on_top_of_the_page(index: FakeIndex, page: Page) -> None:  # noqa: F811
    index.publish()
    page.open()
    page.find("#trouble", "Development mode: there are no keys")


def give(page: Page, key: str) -> None:  # noqa: F811
    if not page.driver.find_elements(By.CSS_SELECTOR, "#key[open]"):
        page.find("#key summary").click()
    page.find("#key input").send_keys(key, Keys.ENTER)
