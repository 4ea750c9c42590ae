"""Queues in the browser: judging by keys, settling a dispute, agreement, and a guest who came by a link."""

from __future__ import annotations

import re

import pytest
from browser_site import Visitor
from playwright.sync_api import Browser, expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_items_are_judged_by_keys_alone(visit: Visitor) -> None:
    page = visit.open("/queues/answers/review")
    judged = page.get_by_role("region", name="Your judgement")
    expect(judged).to_contain_text("Judge the answer alone")
    before = page.get_by_role("region", name="What is judged").text_content() or ""
    submit = page.get_by_role("button", name="Submit")
    expect(submit).to_be_disabled()
    page.keyboard.press("1")
    page.keyboard.press("3")
    expect(page.get_by_role("button", name="Good")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="kind")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Submitted.")).to_be_visible()
    expect(page.get_by_role("region", name="What is judged")).not_to_have_text(before)
    expect(submit).to_be_disabled()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="kind")).to_have_attribute("aria-pressed", "true")
    assert visit.violations() == []
    assert visit.complaints == []


def test_a_dispute_is_settled_by_the_word_of_one(visit: Visitor) -> None:
    page = visit.open("/queues/answers?state=disputed")
    rows = page.get_by_role("grid", name="Items").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("disputed")
    rows.nth(1).click()
    peek = page.get_by_role("complementary", name="Preview")
    expect(peek).to_contain_text("What reviewers said")
    peek.get_by_role("button", name="Settle as bea says").click()
    expect(page.get_by_text("Settled.")).to_be_visible()
    assert visit.violations() == []


def test_agreement_is_shown_with_its_interval_and_what_it_means(visit: Visitor) -> None:
    page = visit.open("/queues/answers?tab=Agreement")
    tone = page.get_by_role("region", name="tone")
    expect(tone).to_contain_text("Krippendorff's alpha")
    expect(tone).to_contain_text(re.compile(r"0\.\d\d \[0\.\d\d, 0\.\d\d\]"))
    expect(tone.get_by_role("group", name="Pairs on tone")).to_contain_text("bea and carl")
    assert visit.violations() == []


def test_a_guest_sees_the_queue_of_the_link_and_nothing_else(chromium: Browser, visit: Visitor) -> None:
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{visit.site.url}{visit.site.names['guest']}")
    page.get_by_label("why").fill("It is short.")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Submitted.")).to_be_visible()
    expect(page.get_by_label("why")).to_have_value("")
    assert page.get_by_role("navigation").count() == 0
    page.goto(f"{visit.site.url}/queues")
    expect(page.get_by_label("API key")).to_be_visible()
    page.goto(f"{visit.site.url}/review#forged")
    expect(page.get_by_role("alert")).to_contain_text("not valid any more")
    context.close()


def test_a_queue_is_changed_closed_reopened_and_collected_as_a_dataset(visit: Visitor) -> None:
    api, headers = visit.page.request, {"authorization": f"Bearer {visit.site.key}"}
    root = f"{visit.site.url}/api/v1/queues"
    asked = [{"name": "right", "kind": "thumbs"}, {"name": "better", "kind": "correction", "required": False}]
    api.post(root, headers=headers, data={"name": "collected", "questions": asked})
    api.post(f"{root}/collected/fill", headers=headers, data={"deployment": "docs", "limit": 3})
    page = visit.open("/queues/collected")
    expect(page.get_by_role("button", name="Collect")).to_be_disabled()
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("button", name="Good")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Submitted.")).to_be_visible()
    page = visit.open("/queues/collected?tab=Rubric")
    page.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Rubric")).to_be_focused()
    dialog.get_by_label("Rubric").fill("Right is what the code does.")
    dialog.get_by_label("Reviewers an item").fill("12")
    expect(dialog.get_by_label("Reviewers an item")).to_have_accessible_description("From 1 to 9.")
    expect(dialog.get_by_role("button", name="Change")).to_be_disabled()
    dialog.get_by_label("Reviewers an item").fill("2")
    dialog.get_by_label("grace").check()
    expect(dialog).to_contain_text("Only 1 may judge.")
    dialog.get_by_label("vera").check()
    assert visit.violations() == []
    dialog.get_by_label("Reviewers an item").press("Enter")
    expect(page.locator("main")).to_contain_text("Right is what the code does.")
    expect(page.locator("main")).to_contain_text("For grace, vera.")
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator(".page-head")).to_contain_text("closed")
    expect(page.get_by_role("button", name="Review")).to_be_disabled()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Review")).to_be_enabled()
    page.get_by_role("button", name="Collect").click()
    dialog.get_by_label("Dataset").fill("judged")
    dialog.get_by_label("Scores that the rows carry").select_option("right")
    assert visit.violations() == []
    assert visit.out_of_reach() == []
    dialog.get_by_role("button", name="Collect").click()
    expect(page.locator("main h1")).to_have_text("judged")
    expect(page.get_by_role("status").filter(has_text="dataset/judged@1 has 1 row.")).to_be_visible()
    page = visit.open("/queues/collected?tab=Agreement")
    page.get_by_role("button", name="Calibrate a judge").click()
    expect(dialog.get_by_label("Score by people")).to_have_value("right")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert visit.complaints == []
