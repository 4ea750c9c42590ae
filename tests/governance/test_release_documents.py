"""What is written about a release: its card and its bill of materials; and the audit log."""

from __future__ import annotations

import pytest
import yaml

from mainspring.governance import Audits, Releases
from mainspring.kernel.errors import Denied, Invalid, NotFound
from mainspring.kernel.platform import Platform


@pytest.fixture
def world(platform: Platform, worlds, acting):
    made = worlds.build(platform)
    made.measure(made.base)
    made.measure(made.tuned)
    made.release()
    Releases(platform).check("docs")
    with acting(member="olga"):
        Releases(platform).approve("docs", note="fine")
    return made


def test_a_card_tells_what_the_records_tell(world) -> None:
    card = Releases(world.platform).card("docs")
    head = yaml.safe_load(card.text.split("---")[1])
    assert head["license"] == "apache-2.0" and head["base_model"] == world.base
    assert head["base_model_relation"] == "adapter" and head["datasets"] == [world.dataset]
    assert head["model-index"][0]["results"][0]["metrics"]
    for part in (
        "`release/docs@1` is approved",
        "| exact |",
        "better",
        "Approved by olga",
        "fine",
        "test.tune",
        "MIT 100",
    ):
        assert part in card.text


def test_a_draft_has_a_card_too(platform: Platform, worlds) -> None:
    worlds.build(platform).release()
    text = Releases(platform).card("docs").text
    assert "No evidence has been checked." in text and "It has not been reviewed." in text


def test_a_bill_of_materials_is_whole_and_always_the_same(world) -> None:
    bom = Releases(world.platform).bom("docs")
    assert Releases(world.platform).bom("docs") == bom
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.7")
    parts = {one["bom-ref"]: one for one in bom["components"]}
    assert set(parts) == {world.tuned, world.base, world.dataset, world.prompt}
    assert parts[world.tuned]["modelCard"]["modelParameters"]["datasets"] == [{"ref": world.dataset}]
    assert parts[world.dataset]["licenses"] == [{"license": {"name": "MIT"}}]
    known = {bom["metadata"]["component"]["bom-ref"], *parts}
    for one in bom["dependencies"]:
        assert {one["ref"], *one["dependsOn"]} <= known
    for part in bom["components"]:
        assert all(len(each["content"]) == 64 for each in part["hashes"])


def test_an_unknown_release_has_no_documents(platform: Platform) -> None:
    for write in (Releases(platform).card, Releases(platform).bom):
        with pytest.raises(NotFound):
            write("nobody")


def test_the_audit_log_is_listed_in_pages_and_verified(world, acting) -> None:
    audits = Audits(world.platform)
    first = audits.list_(limit=2)
    assert [row.action for row in first.items] == ["release.approve", "release.check"]
    assert first.items[0].member == "olga" and first.items[0].target == "POST /releases/docs/approve"
    second = audits.list_(limit=2, cursor=first.next_cursor or "")
    assert [row.seq for row in second.items] == [first.items[1].seq - 1, first.items[1].seq - 2]
    assert [row.action for row in audits.list_(member="olga").items] == ["release.approve"]
    with acting(role="viewer", member="vic"), pytest.raises(Denied):
        Releases(world.platform).approve("docs")
    assert [row.member for row in audits.list_(outcome="denied").items] == ["vic"]
    with acting(project="other"):
        assert audits.list_().items == []
    checked = audits.verify()
    assert checked.verified and checked.rows >= 5
    with pytest.raises(Invalid):
        audits.list_(cursor="xxxx")


def test_a_changed_audit_row_is_found(world) -> None:
    with world.platform.records.begin() as conn:
        conn.exec_driver_sql("UPDATE audit_rows SET member = 'eve' WHERE seq = 2")
    checked = Audits(world.platform).verify()
    assert not checked.verified and checked.first_bad == 2
