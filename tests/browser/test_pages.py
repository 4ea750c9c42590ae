"""Every page in a real browser: without a complaint, without a barrier, in light and dark, full and empty."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from browser_site import Visitor
from playwright.sync_api import Browser, expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]

PAGES = {
    "/": "Home",
    "/traces": "Traces",
    "/traces?status=error": "Traces",
    "/traces?attribute=shop.tier%3Dgold&live=1&peek=0000000000000000000000000496edae": "Traces",
    "/traces/compare?ids={good},{bad}": "Compare",
    "/traces/compare": "Compare",
    "/traces/{large}": "batch of the night",
    "/traces/{running}": "checkout",
    "/traces/{bad}?pane=Comments": "invoke_agent parcels",
    "/sessions": "Sessions",
    "/sessions/conversation?id=visit-1": "visit-1",
    "/users?peek=shopper/kim": "Users",
    "/capture": "Capture",
    "/traces/{trace}": "invoke_agent helper",
    "/traces/{trace}?pane=Why+this+answer": "invoke_agent helper",
    "/traces/{trace}?pane=Scores": "invoke_agent helper",
    "/datasets": "Datasets",
    "/datasets/docstrings": "docstrings",
    "/datasets/docstrings?tab=Rows&peek=r0003": "docstrings",
    "/datasets/docstrings?tab=Profile": "docstrings",
    "/datasets/docstrings?tab=Lineage": "docstrings",
    "/prompts": "Prompts",
    "/prompts/docs": "docs",
    "/prompts/docs?tab=Changes": "docs",
    "/prompts/docs?tab=Labels": "docs",
    "/prompts/docs?tab=Metrics": "docs",
    "/playground": "Playground",
    "/playground?prompt=prompt/docs@1,prompt/docs@2": "Playground",
    "/models": "Models",
    "/models/docs-lora": "docs-lora",
    "/models/docs-lora?tab=Lineage": "docs-lora",
    "/models/docs-lora?tab=Chat+template": "docs-lora",
    "/runs": "Runs",
    "/runs/{run}": "tune.sft",
    "/experiments": "Experiments",
    "/experiments?new=1": "Experiments",
    "/experiments/{experiment}": "tuned",
    "/experiments?state=failed": "Experiments",
    "/experiments/{experiment}?tab=Rows&peek=r0003": "tuned",
    "/experiments/{under_way}": "nightly",
    "/experiments/compare?ids={baseline},{experiment},{third}": "Compare",
    "/experiments/compare?ids={baseline},{experiment}&tab=Rows&metric=json&show=improved&peek=r0003": "Compare",
    "/suites": "Suites",
    "/suites/docs": "docs",
    "/suites/docs?tab=Versions": "docs",
    "/scorers": "Scorers",
    "/scorers?tab=Python": "Scorers",
    "/scorers?tab=Built+in": "Scorers",
    "/scorers/form": "form",
    "/scorers/form?tab=Definition": "form",
    "/scorers/graded": "graded",
    "/scorers/graded?tab=Try": "graded",
    "/scorers/short?kind=code": "short",
    "/releases": "Releases",
    "/releases/docs?version=2": "docs",
    "/releases/docs?version=1&tab=Card": "docs",
    "/releases/docs?version=1&tab=Bill+of+materials": "docs",
    "/deployments": "Deployments",
    "/deployments/docs": "docs",
    "/deployments/search?environment=staging": "search",
    "/loadtests": "Load tests",
    "/loadtests?new=1": "Load tests",
    "/loadtests/{load}?baseline={load_before}": "docs",
    "/loadtests/{loading}": "docs",
    "/quickstart": "Quick start",
    "/providers?peek=acme": "Providers",
    "/engines": "Engines",
    "/routes?environment=staging&peek=chat": "Routes",
    "/routes/chat?environment=staging": "chat",
    "/cache?environment=staging&peek=search": "Cache",
    "/guards?peek=strict": "Guards",
    "/guards/strict": "strict",
    "/guards/strict?tab=Test": "strict",
    "/guards/strict?tab=Versions": "strict",
    "/keys?peek={key}": "Keys",
    "/budgets?peek={budget}": "Budgets and limits",
    "/budgets?tab=Limits": "Budgets and limits",
    "/usage": "Usage",
    "/usage?by=key&measure=tokens&days=90&peek={key}": "Usage",
    "/prices?peek=:org/assistant-*": "Prices",
    "/members?peek=grace": "Members",
    "/boards": "Boards",
    "/boards/overview": "Overview",
    "/boards/overview?by=model&environment=production&hours=6": "Overview",
    "/boards/releases": "Releases and prompts",
    "/boards/users": "Users",
    "/queues": "Queues",
    "/queues/answers": "answers",
    "/queues/answers?tab=Agreement": "answers",
    "/queues/answers?tab=Rubric": "answers",
    "/queues/answers/review": "Review answers",
    "/evaluators": "Evaluators",
    "/evaluators/brevity": "brevity",
    "/evaluators/brevity?tab=Calls&state=failed": "brevity",
    "/drift": "Drift",
    "/drift?target=faq&environment=lab&hours=24&at={drift_at}": "Drift",
    "/monitors": "Monitors",
    "/monitors?tab=Channels&peek=ops": "Monitors",
    "/monitors?tab=Silences": "Monitors",
    "/monitors/slow": "slow",
    "/monitors/slow?tab=On+the+past&days=1": "slow",
    "/monitors/errors?tab=Alerts": "errors",
    "/alerts": "Alerts",
    "/redteam": "Red team",
    "/redteam?new=1": "Red team",
    "/redteam/{attacks}": "attacks-after",
    "/redteam/{attacks}?tab=Attacks&outcome=succeeded": "attacks-after",
    "/redteam/{attacks}?baseline={attacks_before}": "attacks-after",
    "/attacks": "Attacks",
    "/attacks?tab=Keys": "Attacks",
    "/attacks?tab=Runaways": "Attacks",
    "/areas": "Improvement areas",
    "/areas/{area}": "answer, engine, time",
    "/audit": "Audit",
    "/nowhere": "There is no such page",
}
Colours = Literal["light", "dark"]
OF_COLOUR = ("color-contrast", "link-in-text-block")
"""The rules whose findings hang on the colours: to all others a page is the same in light and dark."""
LISTS = (
    "/",
    "/traces",
    "/traces/compare",
    "/sessions",
    "/users",
    "/datasets",
    "/prompts",
    "/playground",
    "/models",
    "/runs",
    "/experiments",
    "/experiments/compare",
    "/suites",
    "/scorers",
    "/releases",
    "/deployments",
    "/loadtests",
    "/quickstart",
    "/providers",
    "/engines",
    "/routes",
    "/cache",
    "/guards",
    "/queues",
    "/evaluators",
    "/drift",
    "/monitors",
    "/monitors?tab=Channels",
    "/monitors?tab=Silences",
    "/redteam",
    "/attacks",
    "/attacks?tab=Keys",
    "/attacks?tab=Runaways",
    "/areas",
    "/budgets",
    "/usage",
    "/prices",
)


@pytest.mark.parametrize(("first", "then"), [("light", "dark"), ("dark", "light")])
def test_every_page_shows_without_complaint_or_barrier(visit: Visitor, first: Colours, then: Colours) -> None:
    """Every other page is opened in light, and turned dark under one's eyes; those between the other way round."""
    wrong = []
    for path, title in list(PAGES.items())[first == "dark" :: 2]:
        visit.page.emulate_media(color_scheme=first)
        page = visit.open(path.format(**visit.site.names))
        expect(page.locator("main h1")).to_have_text(title)
        expect(page.locator("main [role=alert]"), path).to_have_count(0)
        expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", first)
        wrong += [f"{path} {first}: {problem}" for problem in visit.violations()]
        visit.turn(then)
        wrong += [f"{path} {then}: {problem}" for problem in visit.violations(*OF_COLOUR)]
        wrong += [f"{path} on a phone: {problem}" for problem in visit.out_of_reach()]
    assert wrong == []
    assert visit.complaints == []


def test_every_list_says_what_to_do_where_there_is_nothing(visit_bare: Visitor) -> None:
    for path in LISTS:
        page = visit_bare.open(path)
        expect(page.locator("main pre").first, path).to_be_visible()
        assert visit_bare.violations() == [], path
        assert visit_bare.out_of_reach() == [], path
    assert visit_bare.complaints == []


def test_a_phone_has_a_bar_that_opens_the_pages_and_lists_in_two_lines(visit: Visitor) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 844})
    page = visit.open("/traces?status=error")
    row = page.get_by_role("grid", name="Traces").get_by_role("row").nth(1)
    expect(row).to_contain_text("Latency")
    box = row.bounding_box()
    assert box and box["width"] <= 390 and box["height"] == 60
    assert visit.violations() == []
    menu = page.get_by_role("button", name="Pages")
    pages = page.get_by_role("navigation", name="Pages")
    expect(pages).to_be_hidden()
    menu.click()
    expect(page.get_by_role("button", name="Search or go to…")).to_be_focused()
    assert visit.violations() == []
    page.keyboard.press("Escape")
    expect(pages).to_be_hidden()
    expect(menu).to_be_focused()
    menu.click()
    pages.get_by_role("link", name="Datasets").click()
    expect(page.locator("main h1")).to_have_text("Datasets")
    expect(pages).to_be_hidden()
    assert visit.complaints == []


def test_a_wrong_key_is_refused_in_words(chromium: Browser, visit: Visitor) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(visit.site.url)
    page.get_by_label("API key").fill("ms_wrong_key")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not valid")
    expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
    context.close()


def test_signing_out_forgets_the_cookie_and_scripts_never_see_it(visit: Visitor) -> None:
    page = visit.open("/")
    page.get_by_role("button", name="Sign out").click()
    visit.sign_in()
    cookie = page.context.cookies()[0]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    page.goto(visit.site.url + "/traces")
    expect(page.get_by_label("API key")).to_be_visible()


def test_traces_are_searched_by_word_and_walked_by_key(visit: Visitor) -> None:
    page = visit.open("/traces")
    rows = page.locator(".list-row")
    expect(rows.first).to_be_visible()
    assert rows.count() < 100, "only rows in view exist"
    page.get_by_label("Search words").fill("item_77")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("query=item_77"))
    expect(rows).to_have_count(1)
    page.locator("main h1").click()
    page.keyboard.press("j")
    expect(page.get_by_label("Preview")).to_contain_text("opens item 77")
    expect(page).to_have_url(re.compile("peek="))
    page.keyboard.press("Escape")
    expect(page.get_by_label("Preview")).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/traces/[0-9a-f]{32}$"))
    page.go_back()
    expect(page.get_by_label("Search words")).to_have_value("item_77")


def test_a_long_list_loads_on_as_it_is_scrolled(visit: Visitor) -> None:
    page = visit.open("/traces")
    foot = page.locator(".list-foot")
    expect(foot).to_contain_text("100 traces")
    page.locator(".list-scroll").evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(foot).to_contain_text("200 traces")


def test_a_trace_shows_its_tree_and_why_it_answered_so(visit: Visitor) -> None:
    page = visit.open(f"/traces/{visit.site.names['trace']}")
    expect(page.get_by_role("treeitem")).to_have_count(6)
    page.get_by_role("treeitem", name="execute_tool search").locator(".fold").click()
    expect(page.get_by_role("treeitem")).to_have_count(5)
    page.get_by_role("treeitem", name="chat docs").last.click()
    expect(page.locator("main")).to_contain_text("simplejson")
    page.get_by_role("tab", name="Why this answer").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("model/docs-lora@1")
    expect(page.get_by_role("tabpanel")).to_contain_text("dataset/docstrings@2")
    page.get_by_role("tab", name="Scores").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("The package is wrong.")


def test_the_palette_goes_anywhere(visit: Visitor) -> None:
    page = visit.open("/")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search pages").fill("model/docs-lora@1")
    assert visit.violations() == []
    page.keyboard.press("Enter")
    expect(page.locator("main h1")).to_have_text("docs-lora")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search pages").fill("aud")
    page.keyboard.press("Enter")
    expect(page.locator("main h1")).to_have_text("Audit")
    expect(page.locator(".page-head")).to_contain_text("rows verified")


def test_an_author_cannot_approve_and_a_rejection_asks_for_the_name(visit: Visitor) -> None:
    page = visit.open("/releases/docs?version=2")
    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    page.get_by_role("button", name="Reject").click()
    dialog = page.get_by_role("dialog")
    confirm = dialog.get_by_role("button", name="Reject")
    expect(confirm).to_be_disabled()
    assert visit.violations() == []
    dialog.get_by_label("Note").fill("Not yet.")
    dialog.get_by_label("Type").fill("docs")
    confirm.click()
    expect(page.locator(".page-head")).to_contain_text("rejected")
    expect(page.locator("main")).to_contain_text("Not yet.")


def test_an_alert_is_acknowledged_and_resolved(visit: Visitor) -> None:
    page = visit.open("/alerts")
    page.locator(".list-row").first.click()
    preview = page.get_by_label("Preview")
    preview.get_by_role("button", name="Acknowledge").click()
    expect(preview).to_contain_text("by ann")
    preview.get_by_role("button", name="Resolve").click()
    expect(preview.get_by_role("button", name="Resolve")).to_have_count(0)


def test_a_run_under_way_can_be_stopped(visit: Visitor) -> None:
    page = visit.open("/runs?state=running")
    page.locator(".list-row").filter(has_text=re.compile("tun|sft", re.IGNORECASE)).first.click()
    expect(page.get_by_role("progressbar", name="Progress", exact=True)).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Loss by step"))).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".page-head")).to_contain_text("cancelling")


def test_nothing_is_asked_of_another_host(visit: Visitor) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    visit.open("/")
    visit.open(f"/traces/{visit.site.names['trace']}")
    assert asked and all(url.startswith(visit.site.url) for url in asked)


def test_a_calibration_says_what_a_judge_is_worth(visit: Visitor) -> None:
    page = visit.open("/scorers")
    expect(page.get_by_text("not calibrated")).to_have_count(1)
    page.get_by_text("form", exact=True).click()
    expect(page.locator("main h1")).to_have_text("form")
    expect(page.get_by_text("Agreement", exact=True)).to_be_visible()
    confusion = page.get_by_role("group", name="Confusion")
    expect(confusion.locator("tbody tr")).to_have_count(2)
    expect(page.get_by_role("group", name="Disagreements").get_by_role("link").first).to_be_visible()
    expect(page.get_by_text("Corrected for the judge's errors")).to_be_visible()
    page.get_by_role("button", name="Definition").click()
    expect(page.get_by_text("A good answer is JSON")).to_be_visible()
    assert visit.complaints == []


def test_a_program_that_asks_for_what_is_not_there_gets_no_page(visit: Visitor) -> None:
    for path in ("/v1/nothing", "/api/nothing", "/mcp/nothing"):
        reply = visit.page.context.request.get(visit.site.url + path)
        assert (reply.status, reply.json()["error"]["code"]) == (404, "not_found")
    assert "<div id=" in visit.page.context.request.get(visit.site.url + "/nothing").text()
