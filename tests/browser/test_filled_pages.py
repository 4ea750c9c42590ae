"""Pages of what goes on beside the traffic: hits of guards, refreshes, terms of routes, judging."""

from __future__ import annotations

import re

import pytest
from browser_site import Visitor
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_hits_of_a_guard_are_narrowed_and_lead_to_their_traces(visit: Visitor) -> None:
    page = visit.open("/guards/usual?tab=Hits")
    card = page.get_by_role("region", name="Hits")
    expect(card.get_by_role("row", name=re.compile("pii email in the request"))).to_have_count(16)
    expect(card.get_by_role("row", name=re.compile("injection override"))).to_have_count(16)
    card.get_by_label("What was done").select_option("block")
    expect(page).to_have_url(re.compile("action=block"))
    expect(card.get_by_role("row", name=re.compile("pii email"))).to_have_count(0)
    assert visit.violations() == []
    card.get_by_role("link", name="trace").first.click()
    expect(page).to_have_url(re.compile(r"/traces/[0-9a-f]{32}"))
    page = visit.open("/guards/strict?tab=Hits")
    expect(page.get_by_role("region", name="Hits")).to_contain_text("found nothing")
    assert visit.complaints == []


@pytest.mark.parametrize("width", [900, 1440])
def test_what_is_judged_stands_clear_of_the_progress(visit: Visitor, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 900})
    page = visit.open("/queues/answers/review")
    bar = page.get_by_role("progressbar").bounding_box()
    shown = page.get_by_role("region", name="What is judged").bounding_box()
    assert bar and shown and shown["y"] - bar["y"] - bar["height"] >= 16
    assert visit.violations() == []


def test_a_refresh_that_is_due_says_why_is_started_and_ended(visit: Visitor) -> None:
    page = visit.open("/deployments/search?environment=staging")
    card = page.get_by_role("region", name="Refresh")
    expect(card).to_contain_text("Due since")
    conditions = card.get_by_role("group", name="Conditions")
    expect(conditions.get_by_role("row", name=re.compile("Schedule"))).to_contain_text("is scheduled for")
    expect(conditions.get_by_role("row", name=re.compile("Score"))).to_contain_text("helpful")
    conditions.get_by_text("Its numbers").first.click()
    expect(conditions).to_contain_text("counted from")
    history = card.get_by_role("group", name="Refreshes")
    expect(history.get_by_role("row", name=re.compile("done"))).to_contain_text("release/docs@2")
    assert visit.violations() == []
    card.get_by_role("button", name="Start it").click()
    expect(card).to_contain_text("ann started it")
    card.get_by_role("button", name="Say what came of it").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What came of it").select_option("done")
    dialog.get_by_label("Release that came of it").fill("release/nothing@9")
    dialog.get_by_label("Note").fill("tried")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Note it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("release/nothing")
    dialog.get_by_label("What came of it").select_option("failed")
    dialog.get_by_role("button", name="Note it").click()
    expect(history.get_by_role("row", name=re.compile("failed"))).to_contain_text("tried")
    expect(card.get_by_role("button", name="Start it")).to_have_count(0)
    page = visit.open("/deployments/docs")
    expect(page.get_by_role("region", name="Refresh")).to_contain_text("mainspring refresh set docs")
    assert visit.complaints == []


def test_a_route_has_rules_waits_and_terms_of_its_breaker(visit: Visitor) -> None:
    page = visit.open("/routes/chat?environment=staging")
    page.get_by_role("button", name="Change", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Rules, retries, waits and the breaker").click()
    expect(dialog.get_by_label("Value of condition 1 of rule 1")).to_have_value("draft")
    dialog.get_by_role("button", name="Add a rule").click()
    dialog.get_by_label("Condition 1 of rule 2", exact=True).select_option("header")
    expect(dialog.get_by_role("button", name="Change", exact=True)).to_be_disabled()
    dialog.get_by_label("Name in condition 1 of rule 2").fill("x-team")
    dialog.get_by_label("Comparison 1 of rule 2").select_option("prefix")
    dialog.get_by_label("Value of condition 1 of rule 2").fill("lab")
    dialog.get_by_label("Rule 2 goes to acme/org/assistant-large").check()
    dialog.get_by_label("To the first piece").fill("4")
    dialog.get_by_label("At most this share of the calls, %").fill("12.5")
    dialog.get_by_label("No wait over, seconds").fill("3")
    dialog.get_by_label("Failures in a row").fill("3")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Change", exact=True).click()
    terms = page.get_by_role("region", name="Terms")
    expect(terms).to_contain_text("header x-team begins with lab")
    expect(terms).to_contain_text("tag is draft")
    expect(terms).to_contain_text("4 s")
    expect(terms).to_contain_text(
        re.compile(r"at most 1[23]\s% of the traffic, after up to 200\sms doubled each time, at most 3\ss")
    )
    expect(terms).to_contain_text("after 3 failures in a row")
    page.get_by_role("button", name="Change", exact=True).click()
    dialog.get_by_text("Rules, retries, waits and the breaker").click()
    dialog.get_by_role("button", name="Remove rule 2").click()
    dialog.get_by_role("button", name="Change", exact=True).click()
    expect(terms).not_to_contain_text("x-team")
    assert visit.complaints == []


def test_a_refresh_policy_is_set_changed_and_removed(visit: Visitor) -> None:
    page = visit.open("/deployments/docs")
    card = page.get_by_role("region", name="Refresh")
    card.get_by_role("button", name="Set a policy").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Set", exact=True)).to_be_disabled()
    dialog.get_by_label("Every so many hours").fill("720")
    dialog.get_by_label("When the mean of this score drops").fill("quality")
    dialog.get_by_label("None at these hours, UTC").fill("25-26")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Set", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("quiet_hours")
    dialog.get_by_label("None at these hours, UTC").fill("22-06")
    dialog.get_by_role("button", name="Set", exact=True).click()
    expect(card.get_by_role("row", name=re.compile("Schedule"))).to_be_visible()
    expect(card.get_by_role("row", name=re.compile("Score"))).to_be_visible()
    expect(card).to_contain_text("none at 22 to 06 o'clock UTC")
    card.get_by_role("button", name="Ask for one now").click()
    expect(card).to_contain_text("ann asked for it")
    expect(card.get_by_role("button", name="Ask for one now")).to_have_count(0)
    card.get_by_role("button", name="Change its policy").click()
    expect(dialog.get_by_label("Every so many hours")).to_have_value("720")
    dialog.get_by_role("button", name="Remove the policy").click()
    expect(card).to_contain_text("There is no policy any more.")
    assert [one for one in visit.complaints if "422" not in one] == [], "the hours were wrong on purpose"
