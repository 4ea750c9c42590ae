"""A prompt's pages and the playground, used as people use them."""

from __future__ import annotations

import re

import pytest
from browser_site import Visitor
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_versions_are_compared_side_by_side(visit: Visitor) -> None:
    page = visit.open("/prompts/docs?tab=Changes")
    changed = page.get_by_role("region", name="message 1 · system")
    expect(changed.locator(".cut-out")).to_contain_text("Describe this as JSON.")
    expect(changed.locator(".add")).to_contain_text("with summary, kind and package")
    expect(page.get_by_text("message 2 · user: the same")).to_be_visible()


def test_a_label_is_moved_and_its_protection_is_shown(visit: Visitor) -> None:
    page = visit.open("/prompts/docs?tab=Labels&version=1")
    expect(page.get_by_role("row", name="production").first).to_contain_text("protected: admin, operator")
    page.get_by_label("Label", exact=True).fill("production")
    expect(page.get_by_text("This label is protected")).to_be_visible()
    page.get_by_label("Label", exact=True).fill("trial")
    page.get_by_label("Note").fill("to be tried")
    page.get_by_role("button", name="Move the label").click()
    expect(page.get_by_role("group", name="Labels now")).to_contain_text("trial")
    expect(page.get_by_role("group", name="Moves of labels")).to_contain_text("to be tried")
    page.get_by_role("button", name="Remove trial").click()
    expect(page.get_by_role("group", name="Labels now")).not_to_contain_text("trial")
    assert visit.violations() == []


def test_metrics_stand_beside_each_version(visit: Visitor) -> None:
    page = visit.open("/prompts/docs?tab=Metrics")
    row = page.get_by_role("group", name="Traffic by version").get_by_role("row", name="production")
    calls = row.get_by_role("link").first
    expect(calls).to_have_text(re.compile(r"^4\d\d$"))
    # Whoever tries the deployment from another page is counted too: what matters is that both pages say the same.
    count = calls.inner_text()
    calls.click()
    expect(page).to_have_url(re.compile("prompt=prompt"))
    expect(page.locator(".list-foot")).to_contain_text("100 traces")
    expect(page.get_by_role("button", name="Remove the filter Environment")).to_contain_text("not experiment")
    for loaded in ("200", "300", "400", count):
        page.locator(".list-scroll").evaluate("box => box.scrollTo(0, box.scrollHeight)")
        expect(page.locator(".list-foot")).to_contain_text(f"{loaded} traces")
    expect(page.locator(".list-foot")).not_to_contain_text("more below")


def test_variants_answer_side_by_side_and_what_is_good_is_kept(visit: Visitor) -> None:
    page = visit.open("/playground?prompt=prompt/docs@1,prompt/docs@2")
    for variant in "AB":
        page.get_by_label(f"Model of Variant {variant}").select_option("model/docs-lora@1")
    page.get_by_role("button", name="Rows of a dataset").click()
    dialog = page.get_by_role("dialog", name="Rows of a dataset")
    dialog.get_by_role("checkbox").nth(1).check()
    dialog.get_by_role("checkbox").nth(2).check()
    dialog.get_by_role("button", name="Add 2 cases").click()
    expect(page.get_by_role("region", name="Case 1", exact=True)).to_contain_text("#r0001")
    page.get_by_role("button", name="Run").click()
    for variant in "AB":
        for case in (1, 2):
            answer = page.get_by_role("region", name=f"Answer of variant {variant} to case {case}")
            expect(answer).to_contain_text(f"handles item {case}")
            expect(answer).to_contain_text("12 in")
            expect(answer.get_by_role("link", name="trace")).to_be_visible()
    page.get_by_label("Message 1 of Variant B", exact=True).fill("Describe {{question}} in {{language}}.")
    first = page.get_by_role("region", name="Case 1", exact=True)
    first.get_by_label("language").fill("Dutch")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("region", name="Answer of variant B to case 2")).to_contain_text("'language' got no value")
    expect(page.get_by_role("region", name="Answer of variant B to case 1")).to_contain_text("handles item 1")
    page.get_by_role("button", name="Save as a version").click()
    page.get_by_role("dialog").get_by_label("Prompt").fill("tried")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").last).to_contain_text("Saved as prompt/tried@1")
    expect(page.get_by_label("Prompt of Variant B")).to_have_value("prompt/tried@1")
    page.get_by_role("region", name="Answer of variant A to case 1").get_by_role(
        "button", name="Add to a dataset"
    ).click()
    page.get_by_role("dialog").get_by_label("Dataset").fill("good-answers")
    assert visit.violations() == []
    page.get_by_role("dialog").get_by_role("button", name="Add").click()
    expect(page.get_by_role("status").last).to_contain_text("Added to dataset/good-answers@1")
    page.get_by_role("region", name="Answer of variant A to case 1").get_by_role("link", name="trace").click()
    expect(page.locator("main")).to_contain_text("prompt/docs@1")
    assert [one for one in visit.complaints if "422" not in one] == [], "one value was left out on purpose"


def test_a_release_and_a_deployment_are_asked_as_they_are(visit: Visitor) -> None:
    page = visit.open("/playground?prompt=prompt/docs@1")
    page.get_by_role("region", name="Case 1", exact=True).get_by_label("question").fill("json.loads")
    for target in ("release/docs@3", "deployment/docs"):
        page.get_by_label("Model of Variant A").select_option(target)
        expect(page.get_by_text("A release brings its own prompt")).to_be_visible()
        expect(page.get_by_label("Temperature of Variant A")).to_have_count(0)
        page.get_by_role("button", name="Run").click()
        answer = page.get_by_role("region", name="Answer of variant A to case 1")
        expect(answer).to_contain_text("asked: json.loads")
        expect(answer.get_by_role("link", name="trace")).to_be_visible()
    answer.get_by_role("link", name="trace").click()
    expect(page.locator("main")).to_contain_text("prompt/docs@2")
    assert visit.complaints == []


def test_a_span_opens_in_the_playground(visit: Visitor) -> None:
    page = visit.open(f"/traces/{visit.site.names['trace']}")
    page.get_by_role("treeitem", name="chat docs").last.click()
    page.get_by_role("link", name="Replay in the playground").click()
    expect(page.get_by_label("Message 1 of Variant A", exact=True)).to_have_value("Which package reads JSON?")
    page.get_by_role("button", name="Run").click()
    answer = page.get_by_role("region", name="Answer of variant A to case 1")
    expect(answer).to_contain_text("asked: Which package reads JSON?")
    page.get_by_text("Reference answer").click()
    expect(page.get_by_role("region", name="Case 1", exact=True)).to_contain_text("simplejson")
    assert visit.violations() == []
    assert visit.complaints == []
