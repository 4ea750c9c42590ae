"""The bill of materials of a release in CycloneDX 1.7 (ECMA-424): models with their cards, data, prompt and guard."""

from __future__ import annotations

import uuid
from typing import Any

import mainspring
from mainspring.governance.facts import ReleaseFacts
from mainspring.kernel.versions import Version, content_hash
from mainspring.registry import ModelVersion

_NAMESPACE = uuid.UUID("6f1c3c0e-52ab-5f0b-9a4b-0f2f6f0b7a11")


def write(facts: ReleaseFacts) -> dict[str, Any]:
    """Return the document. The same release in the same state always gives the same one."""
    models = [_model(facts.model, facts), *(_model(base, None) for base in facts.bases)]
    data = [_data(each, "dataset") for each in facts.datasets]
    rest = [_data(each, "configuration") for each in (facts.prompt, facts.guard) if each is not None]
    release = facts.release
    depends = [
        {"ref": release.ref, "dependsOn": [release.model, *(each.ref for each in (facts.prompt, facts.guard) if each)]},
        {
            "ref": release.model,
            "dependsOn": [*(base.ref for base in facts.bases[:1]), *(each.ref for each in facts.datasets)],
        },
        *({"ref": base.ref, "dependsOn": [base.base] if base.base else []} for base in facts.bases),
        *({"ref": each["bom-ref"], "dependsOn": []} for each in (*data, *rest)),
    ]
    body: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "version": 1,
        "metadata": {
            "timestamp": release.changed_at.isoformat(),
            "tools": {"components": [{"type": "application", "name": "mainspring", "version": mainspring.__version__}]},
            "component": {
                "bom-ref": release.ref,
                "type": "application",
                "name": release.name,
                "version": str(release.number),
                "hashes": [_hash(release.sha256)],
                "properties": [
                    {"name": "mainspring:state", "value": release.state},
                    {"name": "mainspring:author", "value": release.author},
                    *(
                        {"name": f"mainspring:{d.kind}", "value": f"{d.member} {d.at.isoformat()}"}
                        for d in facts.decisions
                    ),
                ],
            },
        },
        "components": [*models, *data, *rest],
        "dependencies": depends,
    }
    return {**body, "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, content_hash(body))}"}


def _model(model: ModelVersion, tuned: ReleaseFacts | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "bom-ref": model.ref,
        "type": "machine-learning-model",
        "name": model.name,
        "version": str(model.number),
        "hashes": [_hash(model.sha256)],
        "components": [
            {"type": "file", "bom-ref": f"{model.ref}#{file.path}", "name": file.path, "hashes": [_hash(file.sha256)]}
            for file in model.files
        ],
        "modelCard": {"modelParameters": _parameters(model, tuned)},
    }
    if model.license:
        found["licenses"] = [{"license": {"name": model.license}}]
    if model.base:
        found["pedigree"] = {"ancestors": [{"type": "machine-learning-model", "name": model.base}]}
    if tuned and (metrics := [_metric(one) for one in tuned.comparisons]):
        found["modelCard"]["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    return found


def _parameters(model: ModelVersion, tuned: ReleaseFacts | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "task": "feature-extraction" if model.format == "onnx" else "text-generation",
        "inputs": [{"format": "text"}],
        "outputs": [{"format": "vector" if model.format == "onnx" else "text"}],
    }
    if model.architecture:
        found["architectureFamily"] = model.architecture
    if tuned and tuned.datasets:
        found["datasets"] = [{"ref": each.ref} for each in tuned.datasets]
    return found


def _metric(one: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"type": str(one["metric"]), "value": str(one["candidate"])}
    if one.get("low") is not None and one.get("high") is not None:
        # The interval is that of the difference to the baseline, which the slice says.
        found["slice"] = f"difference to the baseline {one['baseline']:.4f}, {one['n']} rows"
        found["confidenceInterval"] = {"lowerBound": str(one["low"]), "upperBound": str(one["high"])}
    return found


def _data(version: Version, kind: str) -> dict[str, Any]:
    content = version.content if isinstance(version.content, dict) else {}
    found: dict[str, Any] = {
        "bom-ref": version.ref,
        "type": "data",
        "name": version.name,
        "version": str(version.number),
        "hashes": [_hash(version.sha256)],
        "data": [{"type": kind, "name": version.ref}],
    }
    licences = [name for name in content.get("licenses", {}) if name] if kind == "dataset" else []
    if licences:
        found["licenses"] = [{"license": {"name": name}} for name in licences]
    return found


def _hash(sha256: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": sha256}
