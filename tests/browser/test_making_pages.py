"""What people make in the pages: queues, datasets, releases, deployments and canaries."""

from __future__ import annotations

import json
import re

import pytest
from browser_site import Visitor
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_a_queue_is_made_with_its_rubric_and_filled_by_a_filter(visit: Visitor) -> None:
    page = visit.open("/queues")
    page.get_by_role("button", name="Create a queue").click()
    dialog = page.get_by_role("dialog")
    create = dialog.get_by_role("button", name="Create", exact=True)
    expect(dialog.get_by_label("Name", exact=True)).to_be_focused()
    dialog.get_by_label("Name", exact=True).fill("Tone of voice")
    expect(dialog).to_contain_text("Small letters and digits")
    expect(create).to_be_disabled()
    dialog.get_by_label("Name", exact=True).fill("tone-of-voice")
    dialog.get_by_label("Rubric").fill("Judge how it speaks.")
    dialog.get_by_label("Reviewers an item").fill("2")
    dialog.get_by_role("button", name="Add a question").click()
    dialog.get_by_label("Name of question 2").fill("helpful")
    expect(dialog).to_contain_text("Another question has this name.")
    dialog.get_by_label("Name of question 2").fill("tone")
    dialog.get_by_label("Kind of question 2").select_option("label")
    dialog.get_by_label("Labels of question 2").fill("rude\nkind")
    dialog.get_by_label("from worst to best").check()
    dialog.get_by_label("grace").check()
    expect(dialog).to_contain_text("Only 1 may judge.")
    dialog.get_by_label("vera").check()
    dialog.get_by_label("Fill it with the latest traces").check()
    dialog.get_by_label("Of the deployment").fill("docs")
    dialog.get_by_label("Traces at most").fill("0")
    expect(create).to_be_disabled()
    dialog.get_by_label("Traces at most").fill("3")
    assert visit.violations() == []
    assert visit.out_of_reach() == []
    create.click()
    expect(page.locator("main h1")).to_have_text("tone-of-voice")
    expect(page.locator(".list-foot")).to_contain_text("3 items")
    page.get_by_role("button", name="Fill", exact=True).click()
    dialog.get_by_label("Traces at most").fill("5")
    dialog.get_by_label("Of the deployment").fill("docs")
    dialog.get_by_role("button", name="Fill", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="2 added to tone-of-voice, 3 were there.")).to_be_visible()
    expect(page.locator(".list-foot")).to_contain_text("5 items")
    page.get_by_role("button", name="Rubric").click()
    expect(page.locator("main")).to_contain_text("Judge how it speaks.")
    expect(page.get_by_role("group", name="Questions")).to_contain_text("label")
    assert visit.complaints == []


def test_chosen_traces_make_a_queue_of_their_own(visit: Visitor) -> None:
    page = visit.open("/traces?status=error")
    for row in (0, 1):
        page.locator(".list-row").nth(row).get_by_role("checkbox").check()
    page.get_by_role("button", name="To a queue").click()
    page.get_by_role("dialog").get_by_role("button", name="Create a queue").click()
    dialog = page.get_by_role("dialog", name="Create a queue")
    expect(dialog).to_contain_text("2 marked traces")
    dialog.get_by_label("Name", exact=True).fill("answers")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("answers")
    dialog.get_by_label("Name", exact=True).fill("went-wrong")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(page.locator("main h1")).to_have_text("went-wrong")
    expect(page.locator(".list-foot")).to_contain_text("2 items")


def test_a_dataset_is_imported_of_a_file_and_of_pasted_rows(visit: Visitor) -> None:
    page = visit.open("/datasets")
    page.get_by_role("button", name="Import a dataset").click()
    dialog = page.get_by_role("dialog")
    go = dialog.get_by_role("button", name="Import", exact=True)
    dialog.get_by_label("Dataset").fill("sizes")
    expect(go).to_be_disabled()
    table = b"frage,antwort\nWhich size?,42.\nWhich colour?,Red.\n"
    dialog.get_by_label("File").set_input_files({"name": "sizes.csv", "mimeType": "text/csv", "buffer": table})
    go.click()
    expect(dialog.get_by_role("alert")).to_contain_text("frage")
    dialog.get_by_text("Format, columns and licence").click()
    dialog.get_by_label("Columns").fill("question=frage")
    expect(dialog).to_contain_text("is not one of id, messages")
    dialog.get_by_label("Columns").fill("prompt=frage, completion=antwort")
    dialog.get_by_label("Licence").fill("CC0-1.0")
    assert visit.violations() == []
    go.click()
    expect(page.locator("main h1")).to_have_text("sizes")
    expect(page.locator("main")).to_contain_text("CC0-1.0")
    page.get_by_role("button", name="Import a version").click()
    dialog.get_by_role("button", name="Pasted rows").click()
    dialog.get_by_label("Rows", exact=True).fill(json.dumps({"prompt": "Which shop?", "completion": "This one."}))
    go.click()
    expect(page.get_by_role("status").filter(has_text="dataset/sizes@2 has 1 row.")).to_be_visible()
    page.get_by_role("button", name="Rows", exact=True).click()
    expect(page.get_by_role("grid")).to_contain_text("Which shop?")
    assert [one for one in visit.complaints if "422" not in one] == [], "the first columns were wrong on purpose"


def test_a_release_is_made_of_a_model_a_prompt_and_parameters(visit: Visitor) -> None:
    page = visit.open("/models/docs-lora")
    page.get_by_role("link", name="Create a release").click()
    dialog = page.get_by_role("dialog")
    create = dialog.get_by_role("button", name="Create", exact=True)
    expect(dialog.get_by_label("Model", exact=True)).to_have_value("model/docs-lora@1")
    dialog.get_by_label("Name", exact=True).fill("careful")
    dialog.get_by_label("Prompt", exact=True).fill("docs")
    expect(dialog).to_contain_text("prompt/name, with @")
    dialog.get_by_label("Prompt", exact=True).fill("prompt/docs@production")
    dialog.get_by_label("Temperature").fill("9")
    expect(dialog).to_contain_text("From 0 to 5.")
    expect(create).to_be_disabled()
    dialog.get_by_label("Temperature").fill("0.2")
    dialog.get_by_label("Guard policy").fill("guard/nothing@7")
    assert visit.violations() == []
    create.click()
    expect(dialog.get_by_role("alert")).to_contain_text("guard/nothing")
    dialog.get_by_label("Guard policy").fill("guard/strict")
    create.click()
    expect(page.locator("main h1")).to_have_text("careful")
    expect(page.locator(".page-head")).to_contain_text("draft")
    pins = page.get_by_role("region", name="Pins")
    expect(pins).to_contain_text("prompt/docs@2")
    expect(pins).to_contain_text(re.compile(r"guard/strict@\d"))
    expect(page.get_by_role("region", name="Parameters")).to_contain_text("0.2")
    assert visit.complaints == []


def test_a_release_is_deployed_and_another_tried_beside_it(visit: Visitor) -> None:
    page = visit.open("/deployments?environment=staging")
    page.get_by_role("button", name="Create a deployment").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("trial")
    dialog.get_by_label("Release", exact=True).fill("docs")
    expect(dialog).to_contain_text("release/name, with @ and a version")
    dialog.get_by_label("Release", exact=True).fill("release/docs@1")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(page.locator("main h1")).to_have_text("trial")
    expect(page.locator(".page-head")).to_contain_text("staging")
    card = page.get_by_role("region", name="Canary")
    card.get_by_role("button", name="Start a canary").click()
    start = dialog.get_by_role("button", name="Start", exact=True)
    dialog.get_by_label("Release", exact=True).fill("release/nothing@9")
    dialog.get_by_label("Judged by").fill("speed")
    expect(dialog).to_contain_text("error, latency, ttft, cost, or score/")
    expect(start).to_be_disabled()
    dialog.get_by_label("Judged by").fill("error")
    dialog.get_by_label("Share of the traffic").fill("25")
    assert visit.violations() == []
    start.click()
    expect(dialog.get_by_role("alert")).to_contain_text("release/nothing")
    dialog.get_by_label("Release", exact=True).fill("release/docs@3")
    start.click()
    expect(card).to_contain_text("running")
    expect(page.get_by_role("img", name=re.compile("Baseline 75.*canary 25"))).to_be_visible()
    expect(card.get_by_role("button", name="Start a canary")).to_have_count(0)
    assert visit.complaints == []


def test_whoever_may_not_make_something_is_not_offered_it(visit: Visitor) -> None:
    made = visit.page.request.post(
        f"{visit.site.url}/api/v1/keys",
        headers={"authorization": f"Bearer {visit.site.key}"},
        data={"member": "vera", "note": "looks on"},
    ).json()
    visit.open("/").get_by_role("button", name="Sign out").click()
    visit.sign_in(made["secret"])
    for path in ("/queues", "/datasets", "/releases?new=1", "/deployments"):
        page = visit.open(path)
        expect(page.locator(".list-row").first).to_be_visible()
        expect(page.locator(".page-head .btn.primary")).to_have_count(0)
        expect(page.get_by_role("dialog")).to_have_count(0)
