"""Monitors, evaluators and drift in the browser: tried on the past, drawn before they score, and what moved."""

from __future__ import annotations

import re

import pytest
from browser_site import Visitor
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_a_monitor_is_tried_on_the_past_and_made_switched_off(visit: Visitor) -> None:
    page = visit.open("/monitors")
    page.get_by_role("button", name="Create a monitor").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("dear")
    dialog.get_by_label("Target").fill("docs")
    dialog.get_by_role("combobox", name="Metric", exact=True).fill("latency_p50")
    create = dialog.get_by_role("button", name="Create, switched off")
    expect(create).to_be_disabled()
    dialog.get_by_label("Bound").fill("100")
    dialog.get_by_role("group", name="Days").get_by_role("button", name="1", exact=True).click()
    dialog.get_by_role("button", name="Try it").click()
    expect(dialog).to_contain_text(re.compile(r"In 1 day it would have opened \d+ alert"))
    expect(dialog.get_by_role("img", name=re.compile("What it would have found"))).to_be_visible()
    assert visit.violations() == []
    create.click()
    expect(page.locator("main h1")).to_have_text("dear")
    expect(page.locator(".page-head")).to_contain_text("off")
    page.get_by_role("button", name="On the past").click()
    expect(page.get_by_role("img", name=re.compile("would have found"))).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_label("Type").fill("dear")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("main h1")).to_have_text("Monitors")
    assert visit.complaints == []


def test_a_monitor_starts_a_refresh_of_a_deployment_that_has_a_policy(visit: Visitor) -> None:
    page = visit.open("/monitors")
    page.get_by_role("button", name="Create a monitor").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("stale")
    dialog.get_by_role("combobox", name="Kind").select_option("no_data")
    asks = dialog.get_by_role("combobox", name="A refresh is started for")
    dialog.get_by_label("Environment").select_option("")
    expect(asks).to_be_disabled()
    dialog.get_by_label("Environment").select_option("staging")
    asks.select_option("search")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Create, switched off").click()
    expect(page.locator("main h1")).to_have_text("stale")
    expect(page.locator("main")).to_contain_text("refresh of search")
    page.get_by_role("button", name="Change", exact=True).click()
    expect(asks).to_have_value("search")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_label("Type").fill("stale")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("main h1")).to_have_text("Monitors")
    assert visit.complaints == []


def test_what_a_monitor_found_is_drawn_and_it_is_switched_on_and_off_again(visit: Visitor) -> None:
    page = visit.open("/monitors/slow")
    expect(page.get_by_role("img", name=re.compile("What slow found"))).to_be_visible()
    expect(page.get_by_role("group", name="Looks").locator("tbody tr")).to_have_count(50)
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_role("button", name="Switch off")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Switch on")).to_be_visible()


def test_alerts_are_silenced_for_a_while_and_that_is_taken_back(visit: Visitor) -> None:
    page = visit.open("/monitors?tab=Silences")
    before = page.locator(".list-row").count()
    page.get_by_role("button", name="Create a silence").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Monitor").select_option("slow")
    dialog.get_by_label("Why").fill("A load test.")
    dialog.get_by_role("button", name="Silence", exact=True).click()
    expect(page.locator(".list-row")).to_have_count(before + 1)
    page.locator(".list-row").filter(has_text="A load test.").click()
    page.get_by_role("button", name="End it now").click()
    expect(page.locator(".list-row")).to_have_count(before)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".list-row").filter(has_text="A load test.")).to_contain_text("on")


def test_an_evaluator_shows_what_it_would_draw_and_what_failed(visit: Visitor) -> None:
    page = visit.open("/evaluators")
    page.get_by_role("button", name="Create an evaluator").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Share of them").fill("50")
    dialog.get_by_label("Target").fill("docs")
    dialog.get_by_role("button", name="Look at the last day").click()
    expect(dialog).to_contain_text(re.compile(r"\d+ of \d+ calls that fit in 24 hours would be drawn"))
    expect(dialog.get_by_role("group", name="Calls that would be drawn").locator("tbody tr")).to_have_count(5)
    assert visit.violations() == []
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_text("brevity", exact=True).click()
    page.keyboard.press("Enter")
    failed = page.get_by_role("region", name="What failed")
    expect(failed).to_contain_text("The judge did not answer in time.")
    page.get_by_role("button", name="Score five").click()
    expect(page.get_by_role("group", name="Tried").locator("tbody tr")).to_have_count(5)
    page.get_by_role("button", name="All", exact=True).click()
    expect(page.locator(".list-row")).to_have_count(3)
    assert visit.complaints == []


def test_drift_names_what_moved_how_far_and_which_calls(visit: Visitor) -> None:
    page = visit.open("/drift")
    page.get_by_label("Target").fill("faq")
    page.get_by_label("Environment").fill("lab")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("These cannot be compared")).to_be_visible()
    page = visit.open(f"/drift?target=faq&environment=lab&hours=24&at={visit.site.names['drift_at']}")
    expect(page.locator("p[role=status]")).to_contain_text("Topics that moved")
    features = page.get_by_role("group", name="Features")
    expect(features.locator("tbody tr").first).to_contain_text("moved")
    expect(features.get_by_role("img", name=re.compile(r"effect 0\.\d\d")).first).to_be_visible()
    topics = page.get_by_role("group", name="Topics")
    expect(topics).to_contain_text("refund")
    topics.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(r"/traces/[0-9a-f]{32}$"))


def test_on_a_phone_the_question_of_drift_takes_three_lines(visit: Visitor) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 844})
    form = visit.open("/drift").get_by_role("form", name="What to compare")
    box = form.bounding_box()
    assert box and box["height"] < 4 * 28 + 3 * 8
    for name in ("Target", "Environment", "Time", "Against", "Days before"):
        expect(form.get_by_label(name, exact=True)).to_be_visible()
