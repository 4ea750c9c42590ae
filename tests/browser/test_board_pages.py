"""Boards in the browser: made, changed, narrowed by a click, and the same for whoever has the link."""

from __future__ import annotations

import re

import pytest
from browser_site import Visitor
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_a_board_is_made_changed_and_deleted(visit: Visitor) -> None:
    page = visit.open("/boards")
    page.get_by_role("button", name="Create a board").click()
    page.get_by_role("dialog").get_by_label("Name").fill("support")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    expect(page.locator("main h1")).to_have_text("support")
    page.get_by_role("button", name="Change", exact=True).click()
    page.get_by_role("button", name="Add a panel").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Measure").fill("latency_p95")
    dialog.get_by_role("combobox", name="By").select_option("deployment")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Keep").click()
    page.get_by_role("button", name="Move Latency, 95 % by deployment up").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".panel h2").first).to_have_text("Latency, 95 % by deployment")
    page.reload()
    expect(page.locator(".panel h2").first).to_have_text("Latency, 95 % by deployment")
    expect(page.get_by_role("img", name=re.compile("Latency, 95 %"))).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_label("Type").fill("support")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("main h1")).to_have_text("Boards")
    assert visit.complaints == []


def test_a_board_is_narrowed_by_a_click_and_the_address_says_so(visit: Visitor) -> None:
    page = visit.open("/boards/releases")
    table = page.get_by_role("group", name="Cost")
    table.get_by_role("button", name="release/docs@1").click()
    expect(page).to_have_url(re.compile(r"release=release%2Fdocs%401"))
    expect(table.locator("tbody tr")).to_have_count(1)
    page.get_by_label("Time", exact=True).select_option("168")
    page.get_by_label("beside the time before").uncheck()
    expect(page).to_have_url(re.compile(r"hours=168.*compare=no|compare=no.*hours=168"))
    expect(table).not_to_contain_text("On the time before")
    page.get_by_role("button", name="Remove the filter release").click()
    expect(table.locator("tbody tr")).not_to_have_count(1)


def test_an_overview_sums_the_day(visit: Visitor) -> None:
    page = visit.open("/boards/overview")
    expect(page.get_by_role("region", name="Requests", exact=True).locator("b")).to_have_text(re.compile(r"[\d,.]+K?"))
    expect(page.get_by_role("region", name="Share of errors", exact=True).locator("b")).to_have_text(
        re.compile(r"\d+\.\d %")
    )
    expect(page.locator(".panel")).to_have_count(12)
    assert visit.complaints == []
