"""Attacks and improvement areas in the browser: what came through, against another run; an area from found to fixed."""

from __future__ import annotations

import re

import pytest
from browser_site import Visitor
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_what_came_through_is_read_by_family_and_set_against_another_run(visit: Visitor) -> None:
    names = visit.site.names
    page = visit.open("/redteam")
    rows = page.get_by_role("grid", name="Runs of attacks").get_by_role("row")
    expect(rows.filter(has_text="attacks-before")).to_contain_text("model/")
    rows.filter(has_text="attacks-after").get_by_text("attacks-after").click()
    families = page.get_by_role("group", name="Families")
    expect(families.get_by_role("row", name=re.compile("^languages"))).to_contain_text("of 44")
    expect(families.get_by_role("img").first).to_be_visible()
    assert visit.violations() == []
    families.get_by_role("button", name="languages").click()
    expect(page).to_have_url(re.compile("family=languages"))
    page.get_by_label("Outcome").select_option("succeeded")
    attacks = page.get_by_role("grid", name="Attacks").get_by_role("row")
    attacks.nth(1).click()
    peek = page.get_by_role("complementary", name="Preview")
    expect(peek).to_contain_text("came through")
    expect(peek).to_contain_text("marker")
    expect(peek.get_by_role("link", name=f"trace/{names['trace']}")).to_be_visible()
    assert visit.violations() == []
    page = visit.open(f"/redteam/{names['attacks']}?baseline={names['attacks_before']}")
    table = page.get_by_role("group", name="Differences by people")
    expect(table.get_by_role("row", name=re.compile("^direct-injection"))).to_contain_text("better")
    expect(page.get_by_role("main")).to_contain_text("attacks that both made, paired")
    page = visit.open("/redteam?new=1")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label(re.compile("own"))).to_be_checked()
    expect(dialog.get_by_role("button", name="Attack")).to_be_disabled()
    dialog.get_by_label("Target").fill("deployment/nowhere")
    expect(dialog.get_by_role("button", name="Attack")).to_be_enabled()
    assert visit.violations() == []
    assert visit.complaints == []


def test_hits_are_grouped_and_lead_to_their_traces(visit: Visitor) -> None:
    page = visit.open("/attacks")
    expect(page.get_by_role("main")).to_contain_text("grouped by meaning")
    cluster = page.get_by_role("region", name=re.compile("^Cluster")).first
    expect(cluster.get_by_role("list", name="Examples")).to_contain_text(re.compile("injection override|pii email"))
    assert visit.violations() == []
    cluster.get_by_role("link", name="trace/").first.click()
    expect(page).to_have_url(re.compile(r"/traces/[0-9a-f]{32}"))
    assert visit.complaints == []


def test_an_area_is_acknowledged_made_a_dataset_and_fixed(visit: Visitor) -> None:
    page = visit.open(f"/areas/{visit.site.names['area']}")
    expect(page.get_by_role("list", name="Examples").get_by_role("link").first).to_contain_text("trace/")
    expect(page.get_by_role("region", name="Examples")).to_contain_text("The engine did not answer in time.")
    assert visit.violations() == []
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("list", name="History")).to_contain_text("acknowledged by ann")
    page.get_by_role("button", name="Create a dataset").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Dataset").fill("timeouts-of-the-engine")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_text("dataset/timeouts-of-the-engine@1 is made.")).to_be_visible()
    page.get_by_role("button", name="Say it is fixed").click()
    page.get_by_role("dialog").get_by_label("Release that fixes it").fill("release/docs@99")
    page.get_by_role("dialog").get_by_role("button", name="Fixed").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("release/docs")
    page.get_by_role("dialog").get_by_label("Release that fixes it").fill("release/docs@1")
    page.get_by_role("dialog").get_by_role("button", name="Fixed").click()
    expect(page.get_by_role("list", name="History")).to_contain_text("fixed by ann")
    page.get_by_role("button", name="Reopen").click()
    expect(page.get_by_role("button", name="Acknowledge")).to_be_visible()
    page = visit.open("/areas?state=open")
    expect(page.locator(".list-row", has_text="calls fail")).to_have_count(1)
    assert visit.complaints == []
