"""Lineage: from an answer back to rows and approvals, and from a trace forward to what it led to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest

from mainspring.governance import Lineages, Releases
from mainspring.kernel import lineage, runs, versions
from mainspring.kernel.errors import Denied, Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.kernel.spans import Span
from mainspring.serving.service import Deployments
from mainspring.traces import Scores

TRACE = "12" * 16
SOURCE = "ab" * 16


class WordEmbed:
    """Counts words in hashed buckets: enough for texts that share words to be near."""

    name = "words"
    calls = 0

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.calls += len(texts)
        out = np.zeros((len(texts), 256), np.float32)
        for at, text in enumerate(texts):
            for word in text.split():
                out[at, hashlib.sha256(word.encode()).digest()[0]] += 1
        return out / np.linalg.norm(out, axis=1, keepdims=True).clip(1e-9)


@pytest.fixture
def world(platform: Platform, worlds, acting):
    """The world with its release approved and deployed, and one answer traced."""
    made = worlds.build(platform)
    made.measure(made.base)
    made.measure(made.tuned)
    release = made.release()
    Releases(platform).check("docs")
    with acting(member="olga"):
        Releases(platform).approve("docs", note="fine")
        # The project that the fixture's callers work in was never created, so neither was its environment.
        from mainspring.workspace import Environments

        Environments(platform).create("production", protected=True)
        Deployments(platform).create("answers", release.ref)
    platform.embed_port = WordEmbed()
    question = [{"role": "user", "parts": [{"type": "text", "content": f"question 5 {worlds.text_of(5)}"}]}]
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": "answer 5"}]}]
    platform.spans.append(
        [
            Span(trace_id=TRACE, span_id="01" * 8, project="default", start_ns=10**18, end_ns=10**18 + 1, name="in"),
            Span(trace_id=TRACE, span_id="02" * 8, parent_id="01" * 8, project="default", kind="chat", model=made.tuned,
                 start_ns=10**18, end_ns=10**18 + 1, release=release.ref, prompt=made.prompt, deployment="answers",
                 input=question, output=answer),
            Span(trace_id=SOURCE, span_id="03" * 8, project="default", start_ns=10**18, end_ns=10**18 + 1),
        ]
    )  # fmt: skip
    return made


def test_an_answer_leads_back_to_model_data_rows_and_approvals(world) -> None:
    found = Lineages(world.platform).show(f"trace/{TRACE}", nearest=3)
    assert found.answer is not None
    assert (found.answer.answer, found.answer.release) == ("answer 5", "release/docs@1")
    refs = [node.ref for node in found.upstream]
    assert refs[0] == "release/docs@1"
    assert {world.tuned, world.base, world.dataset, world.prompt, "dataset/raw@1"} <= set(refs)
    depth = {node.ref: node.depth for node in found.upstream}
    assert depth["release/docs@1"] < depth[world.tuned] < depth[world.dataset] < depth["dataset/raw@1"]
    assert {run.kind for run in found.runs} == {"test.tune", "recipe.run"}
    assert [(d.kind, d.member, d.note) for d in found.decisions] == [("approved", "olga", "fine")]
    assert len(found.nearest) == 3 and found.nearest[0].row_id == "train-5"
    assert found.nearest[0].similarity > found.nearest[1].similarity


def test_only_a_shortlist_is_embedded(world) -> None:
    lineages = Lineages(world.platform)
    assert lineages.show(f"trace/{TRACE}").nearest
    assert 1 < world.platform.embed_port.calls <= 49
    assert lineages.show(f"trace/{TRACE}", nearest=0).nearest == []


def test_only_rows_that_the_model_learned_are_near_where_that_is_known(world) -> None:
    with world.platform.begin() as tx:
        seen = [f"train-{number}" for number in (4, 9, 12)]
        lineage.link_rows(tx, world.tuned, [(row, "row", f"{world.dataset}#{row}") for row in seen])
        # Rows of another dataset with the same ids say nothing about this one.
        lineage.link_rows(tx, world.base, [("train-5", "row", "dataset/raw@1#train-5")])
    found = Lineages(world.platform).show(f"trace/{TRACE}", nearest=10).nearest
    assert {row.row_id for row in found} == set(seen)


def test_the_sources_of_a_near_row_go_back_to_files_and_traces(world, worlds) -> None:
    question = [{"role": "user", "content": f"question 1 {worlds.text_of(1)}"}]
    other = "77" * 16
    world.platform.spans.append([Span(trace_id=other, span_id="04" * 8, project="default", kind="chat", start_ns=10**18,
                                      end_ns=10**18, model=world.tuned, input=question)])  # fmt: skip
    near = Lineages(world.platform).show(f"trace/{other}", nearest=1).nearest[0]
    assert near.row_id == "train-1"
    assert [source.source_kind for source in near.sources] == ["row", "trace"]
    assert near.sources[-1].source_id == SOURCE


def test_a_trace_leads_forward_to_every_dataset_model_release_and_deployment(world) -> None:
    found = Lineages(world.platform).show(f"trace/{SOURCE}")
    below = {node.ref: node for node in found.downstream}
    assert {"dataset/raw@1", world.dataset, world.tuned, "release/docs@1", "deployment/answers"} == set(below)
    assert below["deployment/answers"].note == "production, baseline"
    assert below["deployment/answers"].depth > below["release/docs@1"].depth > below[world.tuned].depth


def test_a_model_that_learned_a_row_is_a_model_and_no_dataset(world) -> None:
    with world.platform.begin() as tx:
        lineage.link_rows(tx, world.dataset, [("train-1", "trace", SOURCE)])
        lineage.link_rows(tx, world.tuned, [("train-1", "row", f"{world.dataset}#train-1")])
    below = Lineages(world.platform).show(f"trace/{SOURCE}").downstream
    assert [node.kind for node in below if node.ref == world.tuned] == ["model"]


def test_feedback_leads_to_the_data_that_was_made_of_it(world) -> None:
    platform = world.platform
    score = Scores(platform).create("helpful", trace_id=TRACE, label="bad")
    with platform.begin() as tx:
        made = versions.commit(tx, "dataset", "next", {"rows": 1}).ref
        lineage.link_rows(tx, made, [("r1", "feedback", score.id)])
        lineage.link(tx, runs.create(tx, "test.tune", {}, [made]).id, outputs=["model/later@1"])
    below = [node.ref for node in Lineages(platform).show(f"trace/{TRACE}").downstream]
    assert below == [made, "model/later@1"]


def test_a_version_shows_both_directions(world) -> None:
    found = Lineages(world.platform).show("model/tuned")
    assert found.ref == world.tuned and found.answer is None
    assert {world.dataset, world.base, "dataset/raw@1"} == {node.ref for node in found.upstream}
    assert {"release/docs@1", "deployment/answers"} <= {node.ref for node in found.downstream}
    assert [d.member for d in found.decisions] == ["olga"]


def test_what_is_unknown_is_said(world, acting) -> None:
    lineages = Lineages(world.platform)
    for ref in ("trace/" + "0" * 32, "model/nobody", "trace/", "dataset/docs@99"):
        with pytest.raises(NotFound):
            lineages.show(ref)
    with pytest.raises(Invalid):
        lineages.show("no reference")
    with acting(project="other"), pytest.raises(NotFound):
        lineages.show(f"trace/{TRACE}")
    with acting(role="viewer", member="vic"):
        assert lineages.show("model/tuned").upstream
        with pytest.raises(Denied):
            Releases(world.platform).withdraw("docs")


def test_a_trace_from_elsewhere_has_no_origin_here(world) -> None:
    world.platform.spans.append([Span(trace_id="55" * 16, span_id="05" * 8, project="default", kind="chat",
                                      start_ns=1, end_ns=2, model="gpt-x", input="hello")])  # fmt: skip
    found = Lineages(world.platform).show("trace/" + "55" * 16)
    assert found.upstream == [] and found.nearest == [] and found.answer is not None
    assert found.answer.question == "hello"
