"""What people start in the pages, and watch: load tests, experiments, judges and their calibration."""

from __future__ import annotations

import re

import pytest
from browser_site import Visitor
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_a_load_test_is_started_and_its_curve_held_against_another(visit: Visitor) -> None:
    page = visit.open("/loadtests")
    page.get_by_role("button", name="Run a load test").click()
    dialog = page.get_by_role("dialog")
    start = dialog.get_by_role("button", name="Run", exact=True)
    expect(dialog.get_by_label("Deployment", exact=True)).to_be_focused()
    expect(start).to_be_disabled()
    dialog.get_by_label("Deployment", exact=True).fill("nothing")
    dialog.get_by_label("Requests a second").fill("1, two")
    expect(dialog.get_by_label("Requests a second")).to_have_accessible_description("Numbers with commas between them.")
    dialog.get_by_label("Requests a second").fill("1, 2, 4")
    expect(dialog).to_contain_text("3 levels: about 1 min 30 s.")
    dialog.get_by_label("First token (ms)").fill("400")
    assert visit.violations() == []
    assert visit.out_of_reach() == []
    start.click()
    expect(dialog.get_by_role("alert")).to_contain_text("nothing")
    dialog.get_by_role("button", name="A server by URL").click()
    dialog.get_by_label("Server").fill("127.0.0.1")
    expect(dialog).to_contain_text("https://host/v1#model")
    dialog.get_by_label("Server").fill(f"{visit.site.names['local']}/v1#talker")
    dialog.get_by_role("button", name="Closed").click()
    dialog.get_by_label("Clients at a time").fill("1.5")
    expect(dialog).to_contain_text("Whole numbers from 1 to 1,000.")
    expect(start).to_be_disabled()
    dialog.get_by_label("Clients at a time").fill("1, 2")
    dialog.get_by_label("Seconds a level").fill("1")
    dialog.get_by_label("Seconds a level").press("Enter")
    expect(page.locator("main h1")).to_contain_text("/v1#talker")
    expect(page.get_by_role("group", name="Levels").get_by_role("row")).to_have_count(3)
    expect(page.get_by_role("img", name=re.compile("Time by clients"))).to_be_visible()
    expect(page.get_by_role("region", name="Test")).to_contain_text("ttft 400 ms")
    assert [one for one in visit.complaints if "404" not in one] == []
    page = visit.open("/loadtests/{load}".format(**visit.site.names))
    page.get_by_label("Load test to compare with").select_option(visit.site.names["load_before"])
    expect(page.locator(".legend").first).to_contain_text("there: to the last token, p50")


def test_a_load_test_under_way_shows_how_far_it_is(visit: Visitor) -> None:
    page = visit.open("/loadtests")
    row = page.get_by_role("grid", name="Load tests").get_by_role("row").filter(has_text="running")
    expect(row.get_by_role("progressbar")).to_be_visible()
    row.click()
    expect(page.get_by_role("progressbar", name="Progress")).to_have_attribute("aria-valuenow", "25")
    expect(page.get_by_role("log")).to_contain_text("30 of 30 answered")
    expect(page.get_by_role("img", name=re.compile("Time by requests"))).to_be_visible()
    expect(page.get_by_role("group", name="Levels").get_by_role("row")).to_have_count(2)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".page-head")).to_contain_text("cancelling")
    assert visit.violations() == []
    assert visit.complaints == []


def test_a_suite_is_made_changed_and_run(visit: Visitor) -> None:
    page = visit.open("/suites")
    page.get_by_role("button", name="Create a suite").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("short")
    dialog.get_by_label("Rows", exact=True).fill("docstrings")
    expect(dialog).to_contain_text("dataset/ and a name")
    dialog.get_by_label("Rows", exact=True).fill("dataset/docstrings")
    dialog.get_by_label("Scorers").fill("unheard-of")
    assert visit.violations() == []
    assert visit.out_of_reach() == []
    create = dialog.get_by_role("button", name="Create", exact=True)
    create.click()
    expect(dialog.get_by_role("alert")).to_contain_text("unheard-of")
    dialog.get_by_label("Scorers").fill("json")
    dialog.get_by_label("Rows at most").fill("4")
    create.click()
    expect(page.locator("main h1")).to_have_text("short")
    expect(page.get_by_role("region", name="Settings")).to_contain_text("limit")
    expect(page.get_by_role("region", name="Latest experiments")).to_contain_text("No experiment over this version")
    page.get_by_role("button", name="Create a version").click()
    dialog.get_by_label("Scorers").fill("json\nschema")
    dialog.get_by_role("button", name="Store a version").click()
    expect(page.get_by_label("Version", exact=True)).to_have_value("2")
    page.get_by_role("link", name="Run an experiment").click()
    expect(dialog.get_by_label("Rows", exact=True)).to_have_value("suite/short@2")
    dialog.get_by_label("Target", exact=True).fill("model/docs-lora")
    dialog.get_by_label("Prompt", exact=True).fill("prompt/docs@1")
    dialog.get_by_label("Name", exact=True).fill("of-the-suite")
    dialog.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("main h1")).to_have_text("of-the-suite")
    page.get_by_role("link", name="suite/short@2").first.click()
    expect(page.get_by_role("region", name="Latest experiments")).to_contain_text("of-the-suite")
    assert [one for one in visit.complaints if "422" not in one and "404" not in one] == []


def test_an_experiment_is_started_of_a_suite_with_a_budget(visit: Visitor) -> None:
    page = visit.open("/experiments?target=model/docs-lora")
    page.get_by_role("button", name="Run an experiment").click()
    dialog = page.get_by_role("dialog")
    start = dialog.get_by_role("button", name="Run", exact=True)
    expect(dialog.get_by_label("Target", exact=True)).to_have_value("model/docs-lora")
    dialog.get_by_label("Rows", exact=True).fill("docstrings")
    expect(dialog).to_contain_text("dataset/ or suite/ and a name")
    expect(start).to_be_disabled()
    dialog.get_by_label("Rows", exact=True).fill("dataset/nothing")
    dialog.get_by_label("Prompt", exact=True).fill("prompt/docs@1")
    dialog.get_by_label("Scorers").fill("json")
    dialog.get_by_label("Add a scorer").select_option("judge:form")
    expect(dialog.get_by_label("Scorers")).to_have_value("json\njudge:form")
    dialog.get_by_label("Repeats of each row").fill("0")
    expect(dialog).to_contain_text("From 1 to 100.")
    dialog.get_by_label("Repeats of each row").fill("2")
    dialog.get_by_label("Rows at most").fill("6")
    dialog.get_by_label("Calls at most").fill("500")
    dialog.get_by_label("Name", exact=True).fill("from-the-page")
    assert visit.violations() == []
    assert visit.out_of_reach() == []
    start.click()
    expect(dialog.get_by_role("alert")).to_contain_text("dataset/nothing")
    dialog.get_by_label("Rows", exact=True).fill("dataset/docstrings")
    start.click()
    expect(page.locator("main h1")).to_have_text("from-the-page")
    expect(page.get_by_role("group", name="Figures")).to_contain_text("judge:form")
    expect(page.locator("main")).to_contain_text("2 to each row")
    assert [one for one in visit.complaints if "404" not in one] == []


def test_a_judge_is_made_tried_changed_and_calibrated(visit: Visitor) -> None:
    page = visit.open("/scorers")
    page.get_by_role("button", name="Create a judge").click()
    dialog = page.get_by_role("dialog")
    create = dialog.get_by_role("button", name="Create", exact=True)
    dialog.get_by_label("Name", exact=True).fill("sound")
    dialog.get_by_label("Who judges").fill("smollm2")
    expect(dialog).to_contain_text("model/, release/ or deployment/ and a name")
    dialog.get_by_label("Who judges").fill("model/smollm2@1")
    dialog.get_by_label("Rubric").fill("A sound answer is JSON.")
    dialog.get_by_label("Scale").fill("fail\nfail")
    expect(dialog).to_contain_text("A step stands twice.")
    dialog.get_by_label("Scale").fill("fail\npass")
    dialog.get_by_label("Asked so often").fill("3")
    expect(dialog).to_contain_text("Above 0, or all would say the same.")
    expect(create).to_be_disabled()
    dialog.get_by_label("Asked so often").fill("1")
    dialog.get_by_label("reference").check()
    assert visit.violations() == []
    assert visit.out_of_reach() == []
    create.click()
    expect(page.locator("main h1")).to_have_text("sound")
    expect(page.get_by_role("region", name="Judge")).to_contain_text("answer, question, reference")
    page.get_by_role("button", name="Try").click()
    page.get_by_label("Answer", exact=True).fill('{"package": "json"}')
    page.get_by_role("button", name="Score it").click()
    expect(page.get_by_role("group", name="What it said")).to_contain_text("It has the form asked for.")
    page.get_by_role("button", name="Change").click()
    dialog.get_by_label("Rubric").fill("A sound answer is JSON, and nothing besides.")
    dialog.get_by_role("button", name="Store a version").click()
    expect(page.locator(".page-head")).to_contain_text("judge:sound@2")
    page.get_by_role("button", name="Calibrate", exact=True).click()
    dialog.get_by_label("Experiment").select_option(visit.site.names["baseline"])
    expect(dialog.get_by_label("Score by people")).to_have_value("quality")
    dialog.get_by_role("button", name="Calibrate", exact=True).click()
    expect(page.locator("main h1")).to_have_text("scorer.calibrate")
    page.get_by_role("link", name="Calibration").click()
    expect(page.get_by_role("group", name="Confusion")).to_be_visible()
    assert visit.complaints == []


def test_a_scorer_in_python_is_stored_and_tried(visit: Visitor) -> None:
    page = visit.open("/scorers?tab=Python")
    page.get_by_role("button", name="Create a scorer").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("polite")
    dialog.get_by_label("Source").fill("def score(:")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    source = "def score(answer, reference, question, contexts):\n    return 'please' in answer"
    dialog.get_by_label("Source").fill(source)
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(page.locator("main h1")).to_have_text("polite")
    page.get_by_role("button", name="Try").click()
    page.get_by_label("Answer", exact=True).fill("Yes, please.")
    page.get_by_role("button", name="Score it").click()
    expect(page.get_by_role("region", name="Score")).to_contain_text(re.compile(r"1\s*code:polite@1"))
    assert [one for one in visit.complaints if "422" not in one] == []
