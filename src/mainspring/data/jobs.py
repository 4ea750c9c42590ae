"""The durable jobs of the data room: profiles and recipes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert

from mainspring.data import profile, recipe, rows, store
from mainspring.data.tables import profiles
from mainspring.kernel import versions
from mainspring.kernel.jobs import Job, job
from mainspring.kernel.ports import JSON
from mainspring.registry import catalog, pull
from mainspring.registry.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from mainspring.registry.tokenizer import Tokenizer

_USUAL = "smollm2"


@job("profile.create")
def create_profile(job: Job) -> JSON:
    """Measure a dataset version and store the profile under the run's id."""
    ref = str(job.params["dataset"])
    tokenizer, name = _tokenizer(job, str(job.params["tokenizer"]))
    with job.read() as tx:
        now = tx.now
    measured = profile.measure(
        list(store.read_rows(job.platform, ref)),
        id=job.run_id,
        dataset=ref,
        now=now,
        tokenizer=tokenizer,
        tokenizer_name=name,
        near_threshold=float(job.params["near_threshold"]),
        tell=job.progress,
    )
    body = measured.model_dump(mode="json")
    with job.begin() as tx:
        tx.execute(delete(profiles).where(profiles.c.id == job.run_id))
        tx.execute(insert(profiles).values(id=job.run_id, project=tx.project, dataset=ref, body=body, created_at=now))
    return body


@job("recipe.run")
def run_recipe(job: Job) -> JSON:
    """Prepare a dataset version by a recipe, store the result with row lineage, and report what each step did."""
    with job.read() as tx:
        source = store.load(tx, str(job.params["dataset"]))
        checked = recipe.parse(versions.resolve(tx, str(job.params["recipe"]), "recipe").content)

    def prepare() -> dict[str, Any]:
        def tell(number: int, name: str, count: int) -> None:
            job.check_cancelled()
            job.progress(number, len(checked.steps) + 1, f"{name}: {count:,} rows")

        given = list(store.read_rows(job.platform, source.ref))
        left, reports = recipe.prepare(checked, given, tell)
        content = rows.store(job.platform.files, left)
        content["origin"] = {"recipe": job.params["recipe"], "dataset": source.ref}
        return {"content": content, "steps": [report.model_dump(mode="json") for report in reports]}

    done = job.step("prepare", prepare)
    job.progress(len(checked.steps), len(checked.steps) + 1, "recording where each row came from")
    content = done["content"]
    ids = (row["id"] for row in rows.read_json(job.platform.files, content))
    sources: list[store.Source] = [(row_id, "row", f"{source.ref}#{row_id}") for row_id in ids]
    with job.begin() as tx:
        made = store.commit(
            tx, str(job.params["name"]), content, "recipe", sources, note=str(job.params["note"]), run_id=job.run_id
        )
    job.progress(1, 1, f"{made.rows:,} rows in {made.ref}")
    shown = {"rows": made.rows, "labels": made.labels, "splits": made.splits, "licenses": made.licenses}
    return {"dataset": made.ref, "source": source.ref, "rows_before": source.rows, **shown, "steps": done["steps"]}


def _tokenizer(job: Job, asked: str) -> tuple[Tokenizer | None, str]:
    """Return the tokenizer of the model that was asked for, else of the model that is pulled by default, if it is."""
    if asked:
        with job.read() as tx:
            model = catalog.load(tx, asked)
            weights = catalog.engine_spec(tx, model).base
        return load_tokenizer(job.platform.files.path(weights)), model.ref
    for folder in (job.platform.settings.models, pull.models_dir()):
        path = Path(folder) / _USUAL / "model.gguf"
        if path.is_file():
            return load_tokenizer(path), _USUAL
    return None, ""
