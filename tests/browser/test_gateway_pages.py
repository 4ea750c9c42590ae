"""The gateway's pages, used as people use them: keys, budgets, usage, providers, guards, prices, members."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from browser_site import Visitor
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_the_quick_start_leads_from_a_key_to_an_answer(visit: Visitor) -> None:
    page = visit.open("/quickstart?client=Python")
    page.get_by_role("button", name="Create a key").click()
    page.get_by_label("What it is for").fill("first steps")
    page.get_by_role("combobox", name="It may").select_option(label="ask deployments, and nothing else")
    page.get_by_role("textbox", name="Models").fill("docs")
    page.get_by_role("button", name="Create", exact=True).click()
    secret = page.locator(".secret code")
    expect(secret).to_have_text(re.compile("^ms_"))
    key = secret.inner_text()
    call = page.get_by_role("region", name="A call")
    expect(call).to_contain_text(f"export OPENAI_API_KEY={key}")
    picker = page.get_by_label("Model", exact=True)
    expect(picker.locator("option")).to_have_text(["docs"])
    expect(call).to_contain_text('model="docs"')
    call.get_by_role("button", name="Anthropic").click()
    expect(call).to_contain_text(f"export ANTHROPIC_API_KEY={key}")
    call.get_by_role("button", name="Traces").click()
    expect(call).to_contain_text(f"Authorization=Bearer%20{key}")
    assert visit.violations() == []
    page.get_by_role("button", name="Say hello").click()
    trial = page.get_by_role("region", name="Try it from here")
    expect(trial).to_contain_text("The package reads Hello")
    expect(trial.get_by_role("link", name="its trace")).to_have_attribute("href", re.compile("/traces/[0-9a-f]{32}"))
    page = visit.open("/keys?q=first+steps")
    expect(page.locator(".list-row")).to_have_count(1)
    assert key not in page.content(), "a secret is shown once"
    assert visit.complaints == []


def test_a_key_is_rotated_and_revoked_by_its_name(visit: Visitor) -> None:
    page = visit.open("/keys?q=nightly")
    visit.walk_to("nightly batch")
    preview = page.get_by_label("Preview")
    expect(preview).to_contain_text("all that the member's role allows")
    expect(preview).to_contain_text(re.compile(r"Cost\s*\$\d"))
    preview.get_by_role("button", name="Rotate").click()
    expect(page.get_by_role("dialog").locator(".secret code")).to_have_text(re.compile("^ms_"))
    page.get_by_role("button", name="I have stored it").click()
    expect(page.locator(".list-row")).to_have_count(2)
    preview.get_by_role("button", name="Revoke").click()
    confirm = page.get_by_role("dialog").get_by_role("button", name="Revoke")
    expect(confirm).to_be_disabled()
    page.get_by_role("dialog").get_by_label("Type").fill("nightly batch")
    confirm.click()
    expect(preview.get_by_role("button", name="Revoke")).to_have_count(0)
    expect(preview).to_contain_text("revoked")
    assert visit.complaints == []


def test_a_budget_is_set_changed_removed_and_brought_back(visit: Visitor) -> None:
    page = visit.open(f"/budgets?peek={visit.site.names['budget']}")
    preview = page.get_by_label("Preview")
    expect(preview).to_contain_text("the documentation site")
    expect(page.get_by_role("meter", name=re.compile(r"\$17.31 spent, \$0.40 held of \$20.00")).first).to_be_visible()
    preview.get_by_role("button", name="Change the amount").click()
    page.get_by_role("dialog").get_by_label("Amount").fill("40")
    page.get_by_role("dialog").get_by_role("button", name="Change").click()
    expect(preview).to_contain_text("$40.00 in each day")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Set a budget").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="For").select_option("environment")
    dialog.get_by_role("combobox", name="Which environment").select_option("staging")
    dialog.get_by_label("Amount").fill("7.5")
    expect(dialog).to_contain_text("At most $7.50 in each month")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Set", exact=True).click()
    row = page.locator(".list-row", has_text="staging")
    row.click()
    preview.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(row).to_contain_text("$7.50")
    assert visit.complaints == []


def test_usage_is_drawn_narrowed_and_exported(visit: Visitor, tmp_path: Path) -> None:
    page = visit.open("/usage")
    drawing = page.get_by_role("img", name=re.compile("cost by day and model: vendor@1 .*docs-lora@1"))
    expect(drawing).to_be_visible()
    assert drawing.locator("rect").count() >= 50, "two layers on most days"
    page.keyboard.press("]")
    expect(page.locator(".over .legend")).not_to_contain_text("in all")
    page.get_by_role("button", name="tokens").click()
    expect(page).to_have_url(re.compile("measure=tokens"))
    page.get_by_label("By", exact=True).select_option("key")
    row = page.locator(".list-row", has_text="the documentation site")
    row.click()
    preview = page.get_by_label("Preview")
    expect(preview.get_by_role("group", name="By day").locator("tbody tr")).to_have_count(28)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    file = tmp_path / "usage.csv"
    download.value.save_as(file)
    rows = list(csv.DictReader(file.open()))
    assert len(rows) >= 56
    assert {row["name"].partition(" (")[0] for row in rows} >= {"the documentation site", "nightly batch"}
    preview.get_by_role("button", name="Only this key").click()
    expect(page).to_have_url(re.compile("key=[0-9a-f]{32}"))
    expect(page.locator(".list-foot")).to_contain_text("2 models")
    page.get_by_role("button", name="Remove the filter key").click()
    expect(page).not_to_have_url(re.compile("key=[0-9a-f]"))
    assert visit.complaints == []


def test_a_provider_is_added_checked_connected_and_forgotten(visit: Visitor) -> None:
    page = visit.open("/providers")
    page.get_by_role("button", name="Create a provider").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="vLLM").click()
    dialog.get_by_label("Name").fill("lab")
    dialog.get_by_label("URL").fill(visit.site.names["local"] + "/v1")
    dialog.get_by_label("Key", exact=True).fill("sk-typed-once")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Create", exact=True).click()
    preview = page.get_by_label("Preview")
    expect(preview).to_contain_text("sealed")
    assert "sk-typed-once" not in page.content()
    preview.get_by_role("button", name="Check it now").click()
    answer = preview.get_by_role("region", name="How it answers")
    expect(answer).to_contain_text("status 200")
    answer.get_by_role("button", name="Connect").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Connect").click()
    expect(page.get_by_role("status").last).to_contain_text("model/assistant-large@1")
    preview.get_by_role("button", name="Change").click()
    page.get_by_role("dialog").get_by_label("URL").fill("https://other.example.org/v1")
    expect(page.get_by_role("dialog")).to_contain_text("another host asks for it again")
    expect(page.get_by_role("dialog").get_by_role("button", name="Change")).to_be_disabled()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    preview.get_by_role("button", name="Forget").click()
    page.get_by_role("dialog").get_by_label("Type").fill("lab")
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(page.locator(".list-row", has_text="lab")).to_have_count(0)
    assert visit.complaints == []


def test_a_policy_is_made_and_shows_what_it_finds(visit: Visitor) -> None:
    page = visit.open("/guards")
    page.get_by_role("button", name="Create a policy").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("tried")
    dialog.get_by_role("button", name="Add a rule").click()
    dialog.get_by_label("Detector of rule 2").select_option("terms")
    dialog.get_by_label("Action of rule 2").select_option("block")
    dialog.get_by_label("Terms of rule 2").fill("Falcon")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(page.locator("main h1")).to_have_text("tried")
    page.get_by_role("button", name="Test", exact=True).click()
    page.get_by_role("button", name="personal data").click()
    found = page.get_by_role("region", name="What comes of it")
    expect(found.locator("mark.mask")).to_have_text(["someone@example.org", "4111 1111 1111 1111"])
    expect(found).to_contain_text("Write to [EMAIL]")
    page.get_by_label("What a caller sends").fill("🙂 about falcon")
    page.get_by_label("What a caller sends").press("Control+Enter")
    expect(found.locator("mark.block")).to_have_text("falcon")
    expect(found).to_contain_text("refuses it")
    assert visit.violations() == []
    assert visit.complaints == []


def test_a_price_is_set_and_a_role_is_taken_back(visit: Visitor) -> None:
    page = visit.open("/prices?peek=:org/assistant-*")
    preview = page.get_by_label("Preview")
    expect(preview).to_contain_text("$0.0045")
    preview.get_by_label("Output", exact=True).fill("1200")
    expect(preview).to_contain_text("$0.01")
    preview.get_by_role("button", name="Set another price").click()
    page.get_by_role("dialog").get_by_label("Output").fill("12.5")
    page.get_by_role("dialog").get_by_role("button", name="Set", exact=True).click()
    expect(preview.get_by_role("group", name="History").locator("tbody tr")).to_have_count(3)
    expect(preview).to_contain_text("$12.50")
    page = visit.open("/members?peek=vera")
    role = page.get_by_label("Role of vera")
    role.select_option("annotator")
    expect(page.get_by_role("status").last).to_contain_text("vera is annotator now.")
    page.get_by_role("button", name="Undo").click()
    expect(role).to_have_value("viewer")
    page = visit.open("/engines")
    page.locator(".list-row", has_text="failed").click()
    expect(page.get_by_label("Preview")).to_contain_text("the adapter does not fit its base")
    assert visit.complaints == []


def test_a_route_is_made_asked_where_calls_go_and_brought_back(visit: Visitor) -> None:
    page = visit.open("/routes?environment=staging")
    page.get_by_role("button", name="Create a route").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("ask")
    dialog.get_by_label("Candidate 1", exact=True).fill("acme/org/assistant-large")
    dialog.get_by_label("Candidate 2", exact=True).fill("model/smollm2@1")
    dialog.get_by_role("button", name="Move candidate 2 up").click()
    expect(dialog.get_by_label("Candidate 1", exact=True)).to_have_value("model/smollm2@1")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(page.locator("main h1")).to_have_text("ask")
    page.get_by_role("button", name="Show the way").click()
    way = page.get_by_role("group", name="The way")
    expect(way.locator("tbody tr").first).to_contain_text("model/smollm2@1")
    page.get_by_role("button", name="Change", exact=True).click()
    page.get_by_role("dialog").get_by_role("combobox", name="Pinned to").select_option("acme/org/assistant-large")
    page.get_by_role("dialog").get_by_role("button", name="Change").click()
    expect(page.get_by_role("group", name="Candidates", exact=True)).to_contain_text("pinned")
    expect(page.get_by_role("group", name="Changes").locator("tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Take away").click()
    expect(page.locator("main h1")).to_have_text("Routes")
    row = page.locator(".list-row", has_text="assistant-large")
    expect(row.filter(has_text="ask")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(row.filter(has_text="ask")).to_contain_text("acme/org/assistant-large")
    assert visit.complaints == []


def test_answers_are_kept_cleared_and_kept_no_longer(visit: Visitor) -> None:
    page = visit.open("/cache?environment=staging")
    page.get_by_role("button", name="Set a policy").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Deployment or route").select_option("help")
    dialog.get_by_role("button", name="semantic").click()
    dialog.get_by_label("Least likeness").fill("0.97")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Set", exact=True).click()
    row = page.locator(".list-row", has_text="help")
    expect(row).to_contain_text("semantic 0.97")
    row.click()
    preview = page.get_by_label("Preview")
    preview.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("status").last).to_contain_text("Cleared")
    preview.get_by_role("button", name="Keep nothing").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(row).to_contain_text("semantic 0.97")
    assert visit.complaints == []
