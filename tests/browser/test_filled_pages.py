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
