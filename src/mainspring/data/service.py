"""The operations of the data room: datasets, profiles, recipes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy import select

from mainspring.data import collect, export, importers, rows, store
from mainspring.data.append import append
from mainspring.data.collect import Choice
from mainspring.data.export import Target
from mainspring.data.importers import Format
from mainspring.data.models import DatasetDiff, DatasetVersion, Exported, Profile, ProfileChange, Row, Split
from mainspring.data.profile import changes
from mainspring.data.recipe import Recipe, RecipeVersion, StepReport, in_shares, parse, prepare
from mainspring.data.tables import profiles
from mainspring.kernel import access, records, versions
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, File, Limit, Name, Page, Record, RefText, Text
from mainspring.kernel.runs import Run
from mainspring.kernel.service import Service
from mainspring.registry import projects_with_file, require_file

Selector = Annotated[str, StringConstraints(max_length=80)]
Number = Annotated[int, Field(ge=1, lt=1_000_000_000)]
Word = Annotated[str, StringConstraints(max_length=300)]
TraceIds = Annotated[list[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]], Field(max_length=1000)]
Threshold = Annotated[float, Field(ge=0.3, le=1.0)]


class Datasets(Service):
    """Datasets and their versions."""

    noun = "dataset"

    @operation("POST /datasets/{name}/import", permission="dataset.write", status=201)
    def import_(
        self, name: Name, file: File, *, format: Format = "auto", mapping: dict[str, str] | None = None,
        license: Word = "", note: Text = "",
    ) -> DatasetVersion:  # fmt: skip
        """Make a version of a file: chat or other JSON lines, JSON, CSV or Parquet; all of it or nothing."""
        with self.read() as tx:
            require_file(tx, file)
        writer = rows.Writer()
        sources: list[store.Source] = []
        for number, row in importers.read_rows(self.platform.files.path(file), format, mapping):
            if license and "license" not in row.meta:
                row = row.model_copy(update={"meta": {**row.meta, "license": license}})  # noqa: PLW2901
            writer.add(row, f"Row {number}")
            sources.append((row.id, "file", f"{file}#{number}"))
        content = {**writer.close(self.platform.files), "origin": {"file": file}}
        with self.begin() as tx:
            return store.commit(tx, name, content, "import", sources, note=note)

    @operation("POST /datasets/{name}/rows", permission="dataset.write", status=201)
    def append(
        self, name: Name, added: Annotated[list[Row], Field(min_length=1, max_length=1000)], *, note: Text = ""
    ) -> DatasetVersion:
        """Make a version of the latest one with more rows at its end, or the first version of a new dataset.

        A row whose `meta` names a `trace_id` is linked to that trace. Raises Invalid for a row id that is taken.
        """
        return append(self.platform, name, added, note)

    @operation("POST /datasets/{name}/collect", permission="dataset.write", status=201)
    def collect(
        self, name: Name, *, score: Word = "", at_most: float | None = None, at_least: float | None = None,
        label: Word = "", corrected: bool = False, deployment: Word = "", release: Word = "",
        since: datetime | None = None, trace_ids: TraceIds | None = None,
        limit: Annotated[int, Field(ge=1, le=10_000)] = 1000, note: Text = "",
    ) -> DatasetVersion:  # fmt: skip
        """Make a version of traces, chosen by what people said of them; a corrected answer replaces the given one.

        Where `trace_ids` names traces, only they are taken; `score` then says which judgements the rows carry.
        """
        choice = collect.Choice(
            score=score, at_most=at_most, at_least=at_least, label=label, corrected=corrected, deployment=deployment,
            release=release, since=since, trace_ids=tuple(trace_ids or ()), limit=limit,
        )  # fmt: skip
        return self._collected(name, choice, note)

    def gather(self, name: Name, trace_ids: Sequence[str], *, score: str = "", note: str = "") -> DatasetVersion:
        """Make a version of these traces, with what people said of them, for a room above that chose them."""
        access.require(self.caller, "dataset.write")
        return self._collected(name, collect.Choice(trace_ids=tuple(trace_ids), score=score, limit=10_000), note)

    def _collected(self, name: str, choice: Choice, note: str) -> DatasetVersion:
        # Rows hold what the traces say: who may write datasets may not read every trace for that.
        access.require(self.caller, "trace.read")
        writer = rows.Writer()
        sources: list[store.Source] = []
        for row, origins in collect.collect(self.platform, choice):
            writer.add(row)
            sources += origins
        if not sources:
            raise NotFound("No trace with a conversation fits.", hint="Widen the choice, or look at `trace list`.")
        origin = choice.model_dump(mode="json", exclude_defaults=True, exclude={"trace_ids"})
        content = {**writer.close(self.platform.files), "origin": origin}
        with self.begin() as tx:
            return store.commit(tx, name, content, "collect", sources, note=note)

    @operation("GET /datasets/{name}/versions", permission="dataset.read", mcp=True)
    def versions(self, name: Name, *, limit: Limit = 100, cursor: Cursor = "") -> Page[DatasetVersion]:
        """List the versions of a dataset, newest first."""
        with self.read() as tx:
            found, following = versions.list_(tx, store.KIND, name, limit, cursor)
        return Page(items=[store.shown(version) for version in found], next_cursor=following)

    @operation("GET /datasets/{name}", permission="dataset.read", mcp=True)
    def get(self, name: Name, *, selector: Selector = "") -> DatasetVersion:
        """Show a dataset: its latest version, or the one that the selector names."""
        with self.read() as tx:
            return store.load(tx, _ref(name, selector))

    @operation("GET /datasets/{name}/rows", permission="dataset.read", mcp=True)
    def rows(
        self, name: Name, *, selector: Selector = "", split: Split = "", label: Word = "", query: Word = "",
        row_id: Word = "", limit: Limit = 100, cursor: Cursor = "",
    ) -> Page[Row]:  # fmt: skip
        """List rows of a version, of one split or label, with certain words in them, or the one that has an id."""
        with self.read() as tx:
            content = versions.resolve(tx, _ref(name, selector), store.KIND).content
        at = int(records.decode_cursor(cursor)) if cursor else 0
        items: list[Row] = []
        for position, value in enumerate(rows.read_json(self.platform.files, content, start=at), start=at):
            if row_id and value["id"] != row_id:
                continue
            if (not split or value["split"] == split) and (not label or value["label"] == label):
                row = Row.model_validate(value)
                if query and query.lower() not in row.body().lower():
                    continue
                if len(items) == limit:
                    return Page(items=items, next_cursor=records.encode_cursor(str(position)))
                items.append(row)
        return Page(items=items)

    @operation("GET /datasets/{name}/diff", permission="dataset.read", mcp=True)
    def diff(self, name: Name, left: Selector, right: Selector) -> DatasetDiff:
        """Compare two versions of a dataset row by row."""
        with self.read() as tx:
            both = [versions.resolve(tx, _ref(name, selector), store.KIND) for selector in (left, right)]
        return export.diff(self.platform.files, *both)

    @operation("POST /datasets/{name}/export", permission="dataset.read")
    def export(self, name: Name, *, selector: Selector = "", split: Split = "", format: Target = "rows") -> Exported:
        """Make a file of a version, ready to be downloaded."""
        with self.read() as tx:
            content = versions.resolve(tx, _ref(name, selector), store.KIND).content
        return export.write(self.platform, content, split, format)

    @operation("DELETE /datasets/{name}", permission="dataset.delete")
    def delete(self, name: Name, number: Number) -> DatasetVersion:
        """Remove one version of a dataset for good, with its rows."""
        with self.begin() as tx:
            found = store.load(tx, f"dataset/{name}@{number}")
            content = versions.resolve(tx, found.ref).content
            versions.purge(tx, store.KIND, name, number)
            shared = store.uses(tx, content["file"]) or projects_with_file(tx, content["file"])
        if not shared:
            self.platform.files.delete(content["file"])
        return found

    @operation("GET /datasets", permission="dataset.read", mcp=True)
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[DatasetVersion]:
        """List datasets in alphabetical order, each with its latest version."""
        with self.read() as tx:
            found, following = versions.names(tx, store.KIND, limit, cursor)
        return Page(items=[store.shown(version) for version in found], next_cursor=following)


class Profiles(Service):
    """Profiles: what a dataset is like."""

    noun = "profile"

    @operation("POST /profiles", permission="profile.write", status=202)
    def create(self, dataset: RefText, *, tokenizer: Word = "", near_threshold: Threshold = 0.8) -> Run:
        """Measure a dataset version: lengths, duplicates, personal data, labels, languages, licences."""
        with self.read() as tx:
            found = store.load(tx, dataset)
        params = {"dataset": found.ref, "tokenizer": tokenizer, "near_threshold": near_threshold}
        return self.start_run("profile.create", params, inputs=[found.ref])

    @operation("GET /profiles/compare", permission="profile.read", mcp=True)
    def compare(self, left: Word, right: Word) -> list[ProfileChange]:
        """Compare two profiles figure by figure."""
        return changes(self.get(left), self.get(right))

    @operation("GET /profiles/{id}", permission="profile.read", mcp=True)
    def get(self, id: Word) -> Profile:
        """Show a profile; its id is that of the run that made it."""
        with self.read() as tx:
            query = select(profiles.c.body).where(profiles.c.project == tx.project, profiles.c.id == id)
            body = tx.execute(query).scalar_one_or_none()
        if body is None:
            raise NotFound(f"There is no profile {id[:64]}.", hint="`mainspring profile list` shows what there is.")
        return Profile.model_validate(body)

    @operation("GET /profiles", permission="profile.read", mcp=True)
    def list_(self, *, dataset: Word = "", limit: Limit = 100, cursor: Cursor = "") -> Page[Profile]:
        """List profiles, newest first, of all datasets or of one version."""
        with self.read() as tx:
            query = select(profiles).where(profiles.c.project == tx.project)
            if dataset:
                query = query.where(profiles.c.dataset == store.load(tx, dataset).ref)
            found, following = records.paginate(tx, query, profiles.c.id, limit, cursor)
        return Page(items=[Profile.model_validate(row["body"]) for row in found], next_cursor=following)


class Preview(Record):
    """What a recipe does to some rows of a dataset."""

    steps: list[StepReport]
    rows: list[Row]
    """The first 20 rows that are left."""


class Recipes(Service):
    """Recipes: how a dataset is prepared."""

    noun = "recipe"

    @operation("POST /recipes/runs", permission="recipe.write", status=202)
    def run(self, recipe: dict[str, Any], dataset: RefText, *, name: Name, note: Text = "") -> Run:
        """Prepare a dataset by a recipe; the result is a version of the dataset `name`, each row with its source."""
        checked = parse(recipe)
        with self.begin() as tx:
            found = store.load(tx, dataset)
            if found.name == name:
                raise Conflict(f"{found.ref} would become a version of itself.", hint="Give the result another name.")
            kept = versions.commit(tx, "recipe", checked.name, checked.model_dump(mode="json"))
            params = {"recipe": kept.ref, "dataset": found.ref, "name": name, "note": note}
        return self.start_run("recipe.run", params, inputs=[found.ref, kept.ref])

    @operation("POST /recipes/preview", permission="recipe.read", audit=False)
    def preview(
        self, recipe: dict[str, Any], dataset: RefText, *, limit: Annotated[int, Field(ge=1, le=2000)] = 500
    ) -> Preview:
        """Run a recipe over rows drawn evenly from a dataset, storing nothing; numbers of a split become shares."""
        with self.read() as tx:
            content = versions.resolve(tx, dataset, store.KIND).content
        stride = -(-content["rows"] // limit)
        drawn = [
            Row.model_validate(value) for value in islice(rows.read_json(self.platform.files, content), 0, None, stride)
        ]
        checked = in_shares(parse(recipe), content["rows"])
        left, steps = prepare(checked, drawn)
        return Preview(steps=steps, rows=left[:20])

    @operation("GET /recipes/{name}", permission="recipe.read", mcp=True)
    def get(self, name: Name, *, selector: Selector = "") -> RecipeVersion:
        """Show a recipe: its latest version, or the one that the selector names."""
        with self.read() as tx:
            return _shown(versions.resolve(tx, f"recipe/{name}@{selector}" if selector else f"recipe/{name}"))

    @operation("GET /recipes", permission="recipe.read", mcp=True)
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[RecipeVersion]:
        """List recipes in alphabetical order, each with its latest version."""
        with self.read() as tx:
            found, following = versions.names(tx, "recipe", limit, cursor)
        return Page(items=[_shown(version) for version in found], next_cursor=following)


def _ref(name: str, selector: str) -> str:
    return f"dataset/{name}@{selector}" if selector else f"dataset/{name}"


def _shown(version: versions.Version) -> RecipeVersion:
    facts = {key: getattr(version, key) for key in RecipeVersion.model_fields if key != "recipe"}
    return RecipeVersion(recipe=Recipe.model_validate(version.content), **facts)
