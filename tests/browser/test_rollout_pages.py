"""The page of a deployment with a canary: what people see of it, and that they can read it."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from browser_site import Visitor
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_canary_is_drawn_with_its_confidence_sequence(visit: Visitor, scheme: Literal["light", "dark"]) -> None:
    visit.page.emulate_media(color_scheme=scheme)
    page = visit.open("/deployments/search?environment=staging")
    card = page.get_by_role("region", name="Canary")
    drawing = card.get_by_role("img", name="Difference in score/helpful")
    expect(drawing).to_be_visible()
    assert len((drawing.locator("polygon").get_attribute("points") or "").split()) >= 20
    expect(drawing).to_contain_text("no difference")
    expect(card.get_by_role("group", name="The two releases")).to_contain_text("release/docs@2")
    expect(card).to_contain_text("Not decided yet")
    expect(page.get_by_role("img", name=re.compile("Baseline 60.*canary 40"))).to_be_visible()
    assert visit.violations() == []


def test_the_end_of_a_canary_says_why_in_the_history_too(visit: Visitor) -> None:
    page = visit.open("/deployments/help?environment=staging")
    expect(page.get_by_role("region", name="Canary")).to_contain_text("Rolled back, for it is worse")
    moves = page.get_by_role("group", name="Moves")
    expect(moves.get_by_role("row", name="rollback")).to_contain_text("the difference lies between")
    expect(moves.get_by_role("row", name="rollback")).to_contain_text("system")
    assert visit.violations() == []


def test_a_load_test_is_drawn_over_its_load_and_held_against_another(visit: Visitor) -> None:
    page = visit.open("/loadtests")
    page.get_by_role("row", name=re.compile("docs@2")).click()
    expect(page.get_by_role("img", name=re.compile("Time by requests"))).to_be_visible()
    expect(page.get_by_role("group", name="Levels").get_by_role("row", name=re.compile("^8 "))).to_contain_text("429")
    expect(page.get_by_role("region", name="Test", exact=True)).to_contain_text("4 requests/s")
    page.get_by_label("Load test to compare with").select_option(index=1)
    found = page.get_by_role("group", name="Differences")
    expect(found.get_by_role("row", name=re.compile("e2e p50")).last).to_contain_text("slower")
    assert visit.violations() == []


def test_judging_is_stopped_by_hand_and_an_empty_place_says_how_to_begin(visit: Visitor) -> None:
    page = visit.open("/deployments/docs")
    expect(page.get_by_role("region", name="Canary")).to_contain_text("mainspring canary start docs")
    page = visit.open("/deployments/search?environment=staging")
    page.get_by_role("button", name="Stop judging").click()
    expect(page.get_by_role("region", name="Canary")).to_contain_text("ann stopped it")
    assert visit.complaints == []
