"""The follow-up work list in Chromium: behind the token, sorted, filtered, as a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from streams.events import CaseOpened, FollowupAttempted
from tests.browser.conftest import PHONE, Open
from tests.integration.harness import Broker, Site, Worker, once_shown

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.full]

TOKEN = "a-token-that-is-long-enough"
HOSTILE = "=1+1<img src=x onerror='window.ran=1'>"


@pytest.fixture(scope="module")
def workers(kafka: Broker, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Worker]]:
    """Two workers that share the programs, with overdue, missed and open follow-ups of two of them."""
    now = datetime.now(UTC)

    def case(program: str, name: str, team: str, area: str, days: float) -> CaseOpened:
        at = now - timedelta(days=days)
        return CaseOpened(id=f"o-{name}", program=program, at=at, case=name, kind="encounter", team=team, area=area)

    with Site(kafka.bootstrap, tmp_path_factory.mktemp("list"), {"API_TOKEN": TOKEN}) as site:
        site.send(
            [
                case("chicago", "C-overdue", "art", "loop", 1.5),  # 1d: due after 24 h, lapses after 48 h
                case("chicago", HOSTILE, "mdrt", "uptown", 3),  # 1d: missed
                case("cambridge", "K-overdue", "care", "the_port", 8),  # 7d: due after 7 days, lapses after 14
                FollowupAttempted(
                    id="a1", program="chicago", at=now, case="C-overdue", followup="1d", result="no_contact"
                ),
            ]
        )
        found = [site.worker(), site.worker()]
        once_shown(found, by_all=True)
        yield found


def rows(page: Page) -> list[str]:
    return page.locator("#rows .of-case").all_inner_texts()


def enter(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Show the list").click()


def test_only_with_the_token(workers: list[Worker], browser: Browser) -> None:
    worker = workers[0]
    for path in ("/followups/list.json", "/followups/list.csv"):
        assert worker.get(path) == (401, "Give the token.\n")
    page = browser.new_context().new_page()
    page.goto(worker.url + "/followups")
    enter(page, "wrong")
    expect(page.locator("#wrong")).to_be_visible()
    expect(page.locator("#list")).to_be_hidden()
    enter(page, TOKEN)
    expect(page.locator("#rows tr")).to_have_count(3)
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/followups")
    assert TOKEN not in cookie["value"]
    page.get_by_role("button", name="Leave").click()
    expect(page.locator("#enter")).to_be_visible()
    assert page.context.cookies() == []
    page.context.close()


def test_a_foreign_page_can_make_nobody_leave(workers: list[Worker], open_page: Open) -> None:
    url = workers[0].url
    page = open_page(url)
    page.request.post(url + "/followups/enter", form={"token": TOKEN})
    page.goto(url + "/followups")
    expect(page.locator("#rows tr")).to_have_count(3)
    foreign = page.context.new_page()
    foreign.goto(f"data:text/html,<form method=post action='{url}/followups/leave'></form>")
    foreign.evaluate("document.forms[0].submit()")
    expect(foreign.locator("body")).to_contain_text("Another page sent this form")
    page.reload()
    expect(page.locator("#rows tr")).to_have_count(3)


@pytest.mark.parametrize("asked", [0, 1])
def test_sorted_and_filtered_whoever_is_asked(workers: list[Worker], open_page: Open, asked: int) -> None:
    page = open_page(workers[asked].url)
    page.request.post(workers[asked].url + "/followups/enter", form={"token": TOKEN})
    page.goto(workers[asked].url + "/followups")
    expect(page.locator("#rows tr")).to_have_count(3)
    assert rows(page) == [HOSTILE, "C-overdue", "K-overdue"]  # those that lapse first on top
    assert page.evaluate("window.ran") is None
    expect(page.locator("#rows tr", has_text="C-overdue")).to_contain_text("Alternate Response")
    expect(page.locator("#rows tr", has_text="C-overdue").locator(".of-attempts")).to_have_text("1")
    page.get_by_role("button", name="Case").click()
    assert rows(page)[-1] == "K-overdue"
    page.get_by_role("button", name="Case").click()
    assert rows(page)[0] == "K-overdue"
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Case ▼")
    page.get_by_label("Program").select_option("Chicago CARE")
    expect(page.locator("#rows tr")).to_have_count(2)
    page.get_by_label("State").select_option("missed")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.get_by_label("State").select_option("overdue,missed")
    expect(page.locator("#rows tr")).to_have_count(2)  # or the link is still that of the list before
    with page.expect_download() as file:
        page.get_by_role("link", name="CSV file").click()
    lines = Path(file.value.path()).read_text().splitlines()
    assert lines[0].startswith("program,case,team")
    assert len(lines) == 3
    assert "'=1+1" in "".join(lines)  # no formula
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a plain dict
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
