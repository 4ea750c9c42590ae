"""Experiments and their comparison, used as people use them."""

from __future__ import annotations

import re

import pytest
from browser_experiments import MANY
from browser_site import Visitor
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]
TO_THE_END = """wanted => {
  if (document.querySelector(".list-foot")?.textContent.includes(wanted)) return true;
  const box = document.querySelector(".list-scroll");
  box?.scrollTo(0, box.scrollHeight);
  return false;
}"""
"""Goes to the list's end until its foot says what is wanted: a list may have grown only after a step was taken."""


def test_an_experiment_is_found_opened_and_read_row_by_row(visit: Visitor) -> None:
    page = visit.open("/experiments")
    rows = page.get_by_role("grid", name="Experiments").get_by_role("row")
    expect(rows.filter(has_text="perplexity-alone")).to_contain_text(re.compile(r"perplexity 7\.29 6\.\d+–7\.\d+"))
    expect(rows.filter(has_text="capped")).to_contain_text("stopped")
    expect(rows.filter(has=page.get_by_role("progressbar"))).to_contain_text("nightly")
    page.get_by_label("Target").fill("model/docs-lora")
    expect(page).to_have_url(re.compile("target=model"))
    expect(rows.filter(has_text="zero-shot")).to_have_count(0)
    visit.walk_to("tuned")
    page.keyboard.press("Enter")
    expect(page.locator("main h1")).to_have_text("tuned")
    expect(page.get_by_role("group", name="Figures")).to_contain_text(
        "a share of 58 rows; higher is better; 95 % interval by"
    )
    page.get_by_role("button", name="Rows").click()
    page.get_by_label("Metric").select_option("json")
    page.get_by_label("At most").fill("0.5")
    page.keyboard.press("Enter")
    expect(page.locator(".list-foot")).to_contain_text("6 rows")
    page.get_by_label("Search rows").fill("item_23")
    page.keyboard.press("Enter")
    expect(page.locator(".list-foot")).to_contain_text("1 row")
    page.locator(".list-row").click()
    preview = page.get_by_label("Preview")
    expect(preview.get_by_label("Reference", exact=True)).to_contain_text("Handle item 23.")
    preview.get_by_text("Variables and labels of the row").click()
    expect(preview.get_by_text("PSF-2.0")).to_be_visible()
    expect(preview.get_by_role("link", name="trace/")).to_be_visible()
    preview.get_by_label("Comment").fill("Says nothing.")
    preview.get_by_role("button", name="Bad").click()
    expect(preview.get_by_label("Scores by people")).to_contain_text("quality 0")
    expect(preview.get_by_label("Scores by people")).to_contain_text("Says nothing.")
    page.get_by_role("button", name="Figures").click()
    people = page.get_by_role("region", name="Scores by people")
    people.get_by_role("button", name="Show").click()
    expect(people).to_contain_text("over 1 row")
    assert visit.violations() == []
    assert visit.complaints == []


def test_marked_experiments_are_compared_down_to_the_words(visit: Visitor) -> None:
    page = visit.open("/experiments")
    page.get_by_role("checkbox", name="Mark tuned", exact=True).check()
    page.get_by_role("checkbox", name="Mark nightly-new").check()
    expect(page.get_by_text("They are over different datasets")).to_be_visible()
    page.get_by_role("checkbox", name="Mark nightly-new").uncheck()
    page.get_by_role("checkbox", name="Mark zero-shot").check()
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile(f"ids={visit.site.names['baseline']}"))
    table = page.get_by_role("group", name="Differences by metric")
    json = table.get_by_role("row").filter(has_text="json")
    expect(json).to_contain_text("+0.621")
    expect(json).to_contain_text("better")
    expect(json.get_by_role("img")).to_be_visible()
    expect(page.get_by_text("the corrected p-value agrees")).to_be_visible()
    page.get_by_label("Name of the score").fill("taste")
    page.get_by_role("region", name="Scores by people").get_by_role("button", name="Show").click()
    people = page.get_by_role("group", name="Differences by people")
    expect(people.get_by_role("row").filter(has_text="given:taste")).to_contain_text("+0.667")
    expect(people).to_contain_text("better")
    page.get_by_label("Add an experiment").select_option(visit.site.names["third"])
    expect(page.get_by_text("the corrected p-value too: each interval holds at 97.5 %")).to_be_visible()
    page.get_by_role("button", name="Leave tuned-hot out").click()
    page.get_by_role("button", name="Make baseline: tuned").click()
    expect(json).to_contain_text("−0.621")
    expect(json).to_contain_text("worse")
    table.get_by_role("button", name="json").click()
    expect(page.locator(".list-foot")).to_contain_text("rows")
    page.get_by_role("button", name="Improved").click()
    expect(page.locator(".list-foot")).to_contain_text("2 rows")
    page.get_by_role("button", name="Worsened").click()
    page.get_by_role("gridcell", name="r0003").click()
    pair = page.get_by_role("region", name="Answers of tuned and zero-shot")
    expect(pair.locator("del")).to_contain_text("Handle item 3.")
    expect(pair.locator("ins")).to_have_text("This function does something useful.")
    expect(pair.get_by_role("link", name="trace/")).to_have_count(2)
    assert visit.violations() == []
    address = page.url
    page.goto(f"{visit.site.url}/experiments")
    page.goto(address)
    expect(page.get_by_label("Preview")).to_contain_text("Handle item 3.")
    others = [one for one in visit.complaints if "422" not in one]
    assert others == [], "nobody scored the third one"


def test_a_large_comparison_loads_a_page_at_a_time(visit: Visitor) -> None:
    page = visit.open("/experiments/compare?ids={old},{new}&tab=Rows&metric=given:helpful".format(**visit.site.names))
    foot, rows = page.locator(".list-foot"), page.locator(".list-row")
    expect(foot).to_contain_text("100 rows loaded")
    assert rows.count() < 100, "only rows in view exist"
    expect(rows.first).to_contain_text("case-5")
    page.wait_for_function(TO_THE_END, arg="200 rows loaded")
    page = visit.open("/experiments/{new}?tab=Rows".format(**visit.site.names))
    for loaded in range(200, MANY, 200):
        page.wait_for_function(TO_THE_END, arg=f"{loaded:,} rows loaded")
    page.wait_for_function(TO_THE_END, arg=f"{MANY:,} rows")
    assert rows.count() < 100
    assert visit.complaints == []


def test_on_a_phone_a_figure_stands_beside_its_interval(visit: Visitor) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 844})
    page = visit.open("/experiments/{experiment}".format(**visit.site.names))
    figures = page.get_by_role("group", name="Figures")
    mark = figures.get_by_role("img", name=re.compile("interval from")).first
    box, room = mark.bounding_box(), figures.bounding_box()
    assert box and room and box["x"] + box["width"] <= room["x"] + room["width"]
    assert visit.violations() == []
