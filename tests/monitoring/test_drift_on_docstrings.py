"""Drift with the real embedding model: packages that a model never saw, against modules of those that it did."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from mainspring.backends.embed_minilm import open_embed
from mainspring.data import rows as row_store
from mainspring.data.corpus import make_corpus
from mainspring.data.models import Row
from mainspring.kernel import settings, versions
from mainspring.kernel.spans import Span
from mainspring.monitoring import Drifts

SEEN = ["numpy", "pydantic", "python", "scipy", "sqlalchemy"]
UNSEEN = ["rich", "jinja2"]

pytestmark = [pytest.mark.slow, pytest.mark.model]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Rows to train on, others of unseen modules of the same packages, and rows of other packages."""
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    make_corpus(path, packages=SEEN + UNSEEN, per_package=300)
    rows = [Row.model_validate(json.loads(line)) for line in path.read_text().splitlines()]
    draw = random.Random(7)
    draw.shuffle(rows)
    groups = sorted({row.group for row in rows})
    aside = set(draw.sample(groups, len(groups) // 5))
    known = [row for row in rows if row.label in SEEN]
    return (
        [row for row in known if row.group not in aside],
        [row for row in known if row.group in aside],
        [row for row in rows if row.label in UNSEEN],
    )


def ask(platform, deployment, rows):
    at = int(platform.clock.now().timestamp() * 1e9)
    platform.spans.append(
        [
            Span(
                trace_id=f"{int(row.id, 16):032x}",
                span_id=f"{number + 1:016x}",
                project="default",
                environment="production",
                deployment=deployment,
                kind="chat",
                start_ns=at,
                end_ns=at + 1,
                input=[{"role": "user", "parts": [{"type": "text", "content": row.messages[0].content}]}],
            )
            for number, row in enumerate(rows)
        ]
    )


def test_packages_never_seen_are_drift_and_modules_never_seen_are_not(platform, corpus):
    models = Path(os.environ.get("MAINSPRING_MODELS") or "~/.mainspring/models").expanduser()
    config = settings.load({"models": str(models)}, environ={}, folder=platform.home)
    platform.embed_port = open_embed("", platform.home, config)
    train, like, unlike = corpus
    content = row_store.store(platform.files, [row.model_copy(update={"split": "train"}) for row in train])
    with platform.begin() as tx:
        versions.commit(tx, "dataset", "docs", content)
    ask(platform, "like", like[:60])
    ask(platform, "unlike", unlike[:60])
    same = Drifts(platform).check("like", dataset="dataset/docs@1", limit=60, reference_limit=150)
    other = Drifts(platform).check("unlike", dataset="dataset/docs@1", limit=60, reference_limit=150)
    assert not same.drifted, same.verdict
    assert other.drifted and other.effect > 1.5 * same.effect, (same.verdict, other.verdict)
