"""Exploring traces in the browser: filters, views, bulk acts, comparing, conversations, comments, any size."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from pathlib import Path

import pytest
from browser_explore import SPANS
from browser_site import Visitor
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]
GOLD = "/traces?attribute=shop.tier%3Dgold"


def send(
    visit: Visitor, trace: str, number: int, service: str, *, running: bool = False, start: int = 0, user: str = ""
) -> None:
    """Send one span as an OpenTelemetry exporter would."""
    now = time.time_ns()
    span = {"traceId": trace, "spanId": f"{number:016x}", "name": "checkout", "startTimeUnixNano": str(start or now),
            "endTimeUnixNano": str(now), "status": {"code": 1}}  # fmt: skip
    if running:
        span["attributes"] = [{"key": "mainspring.running", "value": {"boolValue": True}}]
    if user:
        span["attributes"] = [{"key": "user.id", "value": {"stringValue": user}}]
    of = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    body = {"resourceSpans": [{"resource": of, "scopeSpans": [{"spans": [span]}]}]}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {visit.site.key}"}
    asked = urllib.request.Request(f"{visit.site.url}/v1/traces", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked) as reply:
        assert reply.status == 200


def foot(page: Page, text: str) -> None:
    expect(page.locator(".list-foot")).to_contain_text(text)


def test_any_attribute_narrows_the_list_and_a_stretch_of_time_is_drawn(visit: Visitor) -> None:
    page = visit.open("/traces?since=24h")
    page.get_by_label("Value of the filter").fill("shop.tier=gold")
    page.keyboard.press("Enter")
    foot(page, "6 traces")
    page.get_by_label("Value of the filter").fill("shop.basket>=4")
    page.get_by_role("button", name="Add the filter").click()
    expect(page).to_have_url(re.compile("attribute=shop.tier%3Dgold%0Ashop.basket%3E%3D4"))
    foot(page, "2 traces")
    expect(page.get_by_role("img", name="Traces over time: 2, of which 1 failed")).to_be_visible()
    assert visit.violations() == []
    page.get_by_role("button", name="Remove the filter Attribute shop.basket>=4").click()
    foot(page, "6 traces")
    box = page.locator(".timeline svg").bounding_box()
    assert box
    page.mouse.move(box["x"] + 10, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.up()
    expect(page).to_have_url(re.compile("from=.*to="))
    expect(page.get_by_text("No trace matches")).to_be_visible()
    page.get_by_role("button", name="Remove the filter Time").click()
    foot(page, "6 traces")
    assert visit.complaints == []


def test_a_view_is_saved_opened_and_taken_away(visit: Visitor) -> None:
    page = visit.open(f"{GOLD}&status=error")
    page.get_by_role("button", name="Views").click()
    views = page.get_by_role("dialog")
    views.get_by_label("Save what is shown as").fill("Gold and failed")
    views.get_by_label("for everybody").check()
    views.get_by_role("button", name="Save", exact=True).click()
    expect(views.get_by_role("button", name=re.compile("^Gold and failed"))).to_be_visible()
    assert visit.violations() == []
    page = visit.open("/traces?model=shop-model")
    page.get_by_role("button", name="Views").click()
    page.get_by_role("button", name=re.compile("^Gold and failed")).click()
    expect(page.get_by_label("Status")).to_have_value("error")
    expect(page).not_to_have_url(re.compile("model="))
    foot(page, "2 traces")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Gold and failed").click()
    page.get_by_role("button", name="Delete the view Gold and failed").click()
    expect(page.get_by_role("button", name="Views")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Gold and failed").click()
    page.get_by_role("button", name="Delete the view Gold and failed").click()
    expect(page.get_by_role("button", name="Views")).to_be_visible()
    assert visit.complaints == []


def test_marked_traces_become_rows_and_items_of_a_queue(visit: Visitor) -> None:
    page = visit.open(GOLD)
    foot(page, "6 traces")
    page.locator("main h1").click()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_text("2 marked")).to_be_visible()
    page.get_by_role("button", name="To a dataset").click()
    dialog = page.get_by_role("dialog", name="To a dataset")
    dialog.get_by_label("Dataset").fill("shop-rows")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Create a version").click()
    expect(page.get_by_text("dataset/shop-rows@1 has 2 rows of them.")).to_be_visible()
    expect(page.get_by_text("2 marked")).to_have_count(0)
    page.get_by_role("button", name="To a queue").click()
    dialog = page.get_by_role("dialog", name="To a queue")
    expect(dialog).to_contain_text("all that the list is narrowed to")
    dialog.get_by_label("Queue").select_option("shop-checks")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("6 added to shop-checks.")).to_be_visible()
    assert visit.complaints == []


def test_an_export_is_whole_traces_and_stands_in_the_audit_log(visit: Visitor, tmp_path: Path) -> None:
    page = visit.open(f"{GOLD}&user_id=shopper/kim")
    foot(page, "6 traces")
    with page.expect_download() as started:
        page.get_by_role("link", name="Export").click()
    started.value.save_as(tmp_path / "traces.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "traces.jsonl").read_text().splitlines()]
    assert [one["spans"][0]["user_id"] for one in lines] == ["shopper/kim"] * 6
    page = visit.open("/audit")
    expect(page.get_by_role("grid").get_by_text("trace.export").first).to_be_visible()


def test_two_traces_are_compared_span_by_span(visit: Visitor) -> None:
    names = visit.site.names
    page = visit.open("/traces?score=shop-thumb")
    foot(page, "2 traces")
    for box in page.get_by_role("checkbox", name=re.compile("^Mark")).all():
        box.check()
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile("/traces/compare"))
    page = visit.open(f"/traces/compare?ids={names['good']},{names['bad']}")
    expect(page.get_by_role("row", name=re.compile("Latency"))).to_contain_text("+233 %")
    expect(page.get_by_role("row", name=re.compile("shop-thumb"))).to_contain_text("−100 %")
    spans = page.get_by_role("listbox", name="Spans of both")
    expect(spans.get_by_role("option", name=re.compile("execute_tool parcels only in the second"))).to_be_visible()
    expect(page.get_by_label("Changes of the output")).to_contain_text("Tuesday")
    spans.get_by_role("option", name=re.compile("chat shop-model")).click()
    expect(page.get_by_role("group", name="What differs")).to_contain_text("release/shop@2")
    page.get_by_role("button", name="Side by side").click()
    expect(page.get_by_text("I do not know.")).to_be_visible()
    assert visit.violations() == []
    assert visit.complaints == []


def test_a_session_reads_as_a_conversation_and_leads_to_its_user(visit: Visitor) -> None:
    page = visit.open("/sessions?user_id=shopper/kim")
    foot(page, "2 sessions")
    page.get_by_role("gridcell", name="visit-1").dblclick()
    turns = page.get_by_role("log", name="Conversation").get_by_role("region")
    expect(turns).to_have_count(3)
    expect(turns.nth(1)).to_contain_text("And in blue?")
    expect(turns.nth(1)).not_to_contain_text("size 42")
    expect(turns.nth(2)).to_contain_text("error")
    page.get_by_role("link", name="shopper/kim").click()
    preview = page.get_by_label("Preview")
    expect(preview.get_by_role("link", name="visit-3")).to_be_visible()
    expect(preview).to_contain_text("33.3 %")
    preview.get_by_role("link", name="Traces", exact=True).click()
    foot(page, "6 traces")
    assert visit.complaints == []


def test_a_user_is_erased_after_saying_what_that_takes(visit: Visitor) -> None:
    send(visit, "ab" * 16, 1, "shop", user="shopper/gone")
    page = visit.open("/users?peek=shopper/gone")
    page.get_by_role("button", name="Erase…").click()
    asking = page.get_by_role("dialog")
    expect(asking.get_by_text("This erases 1 trace and 1 span")).to_be_visible()
    sure = asking.get_by_role("button", name="Erase the user")
    expect(sure).to_be_disabled()
    asking.get_by_role("textbox").fill("shopper/gone")
    assert visit.violations() == []
    sure.click()
    expect(page).to_have_url(re.compile("/runs/"))
    visit.open("/users")
    expect(page.get_by_text("100 users loaded")).to_be_visible()
    expect(page.get_by_text("shopper/gone")).not_to_be_visible()
    assert visit.complaints == []


def test_what_comes_while_one_watches_appears_by_itself(visit: Visitor) -> None:
    page = visit.open("/traces?service=shop-live&live=1")
    expect(page.get_by_text("No trace matches")).to_be_visible()
    trace = f"{77_100_001:032x}"
    start = time.time_ns()
    send(visit, trace, 1, "shop-live", running=True, start=start)
    expect(page.get_by_role("grid").get_by_text("running")).to_be_visible()
    expect(page.locator(".tail")).to_contain_text("1 since you began to watch")
    page = visit.open(f"/traces/{trace}")
    expect(page.get_by_role("treeitem")).to_contain_text("running")
    expect(page.get_by_text("its end has not come")).to_be_visible()
    send(visit, trace, 1, "shop-live", start=start)
    expect(page.locator(".page-head")).to_contain_text("ok")
    expect(page.get_by_text("its end has not come")).to_have_count(0)
    assert visit.complaints == []


def test_comments_are_written_and_taken_back(visit: Visitor) -> None:
    page = visit.open(f"/traces/{visit.site.names['bad']}?pane=Comments")
    page.get_by_role("treeitem", name="execute_tool parcels").click()
    page.get_by_role("tab", name="Comments").click()
    page.get_by_label("Comment", exact=True).fill("The parcel service timed out.")
    page.get_by_label("about execute_tool parcels").check()
    page.get_by_role("button", name="Comment", exact=True).click()
    said = page.get_by_role("article")
    expect(said).to_contain_text("The parcel service timed out.")
    expect(said.get_by_role("button", name="on execute_tool parcels")).to_be_visible()
    assert visit.violations() == []
    said.get_by_role("button", name="Take the comment back").click()
    expect(said).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(said).to_contain_text("timed out")
    said.get_by_role("button", name="Take the comment back").click()
    expect(said).to_have_count(0)
    assert visit.complaints == []


def test_a_span_is_replayed_in_the_playground_and_its_attributes_lead_on(visit: Visitor) -> None:
    page = visit.open(f"/traces/{77_000_110:032x}")
    page.get_by_text("Attributes (2)").click()
    page.get_by_role("link", name="Traces with the same shop.tier").click()
    foot(page, "6 traces")
    page.go_back()
    page.get_by_role("link", name="Replay in the playground").click()
    expect(page.get_by_label("Message 1 of Variant A", exact=True)).to_have_value("Do you have size 42?")


def test_a_trace_of_any_size_opens_with_the_rows_in_view_alone(visit: Visitor) -> None:
    page = visit.open(f"/traces/{visit.site.names['large']}")
    expect(page.get_by_text(f"{SPANS:,}", exact=True)).to_be_visible()
    items = page.get_by_role("treeitem")
    expect(items.first).to_contain_text("batch of the night")
    assert items.count() < 100
    tree = page.get_by_role("tree", name="Spans")
    tree.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(page.get_by_role("treeitem", name=f"call {SPANS - 1}")).to_have_count(0)
    expect(items.last).to_contain_text("call")
    assert items.count() < 100
    items.last.click()
    expect(page.get_by_label("Input")).to_contain_text('"row"')
    tree.evaluate("box => box.scrollTo(0, 0)")
    page.get_by_role("treeitem", name="batch of the night").locator(".fold").click()
    expect(items).to_have_count(1)
    assert visit.complaints == []


def test_rules_of_capture_are_set_and_lifted(visit: Visitor) -> None:
    page = visit.open("/capture")
    page.get_by_role("button", name="Add a sample rule").click()
    page.get_by_label("Share kept, %").fill("250")
    expect(page.get_by_role("alert")).to_contain_text("not from 0 to 100")
    page.get_by_label("Share kept, %").fill("25")
    page.get_by_label("Service").fill("no-such-service")
    page.get_by_role("button", name="Add a mask rule").click()
    page.get_by_label("Fields").fill("attributes.no.such.key")
    assert visit.violations() == []
    page.get_by_role("button", name="Set the rules").click()
    expect(page.get_by_text("The rules hold within 5 seconds.")).to_be_visible()
    page = visit.open("/capture")
    expect(page.get_by_label("Share kept, %")).to_have_value("25")
    expect(page.get_by_label("Fields")).to_have_value("attributes.no.such.key")
    page.get_by_role("button", name="Remove sample rule 1").click()
    page.get_by_role("button", name="Remove mask rule 1").click()
    page.get_by_role("button", name="Set the rules").click()
    expect(page.get_by_text("All traces are kept")).to_be_visible()
    page.get_by_role("spinbutton", name="Days").or_(page.get_by_label("Days", exact=True)).fill("3650")
    page.get_by_role("button", name="Keep them so").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Keep them so")).to_be_disabled()
    dialog.get_by_role("button", name="Cancel").click()
    assert visit.complaints == []
