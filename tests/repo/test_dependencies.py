"""What the product depends on: locked, hashed, permissively licensed."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

PERMISSIVE = {
    *("0BSD", "BSD License", "3-Clause BSD License", "BSD-2-Clause", "BSD-3-Clause"),
    *("Apache 2.0 License", "Apache License 2.0", "Apache Software License", "Apache-2.0"),
    *("Apache-2.0 WITH LLVM-exception", "BSL-1.0", "CC0-1.0", "CNRI-Python", "ISC", "ISC License (ISCL)"),
    *("MIT", "MIT License", "MIT-0", "MIT-CMU", "PSF-2.0", "Python Software Foundation License"),
    *("The Unlicense (Unlicense)", "Unlicense", "Zlib"),
}
EXTRAS = ("tune", "postgres", "parquet", "grpc", "clickhouse")
EXCEPTIONS = {
    "psycopg": "LGPL-3.0-only, used unmodified as a library through its public interface",
    "psycopg-binary": "LGPL-3.0-only, used unmodified as a library through its public interface",
    "certifi": "MPL-2.0, a list of certificates, used unmodified",
    "tqdm": "MPL-2.0 AND MIT, used unmodified",
    "apsw": "declares any OSI licence at the taker's choice; taken under zlib",
}


def declared(*extras: str) -> list[Requirement]:
    optional = PROJECT["optional-dependencies"]
    return [
        Requirement(text) for text in PROJECT["dependencies"] + [text for extra in extras for text in optional[extra]]
    ]


def closure(roots: list[Requirement]) -> set[str]:
    """Names of every distribution that the roots bring, as installed here."""
    waiting, seen = list(roots), set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        for text in importlib.metadata.distribution(name).requires or []:
            child = Requirement(text)
            if child.marker is None or any(
                child.marker.evaluate({"extra": extra}) for extra in {"", *requirement.extras}
            ):
                child.marker = None
                waiting.append(child)
    return seen


def licences(name: str) -> set[str]:
    data = importlib.metadata.metadata(name)
    expression = data.get("License-Expression")
    if expression:
        return {part.strip("() ") for part in re.split(r"\s+(?:AND|OR)\s+", expression)}
    found = {line.split(" :: ")[-1] for line in data.get_all("Classifier", []) if line.startswith("License :: OSI")}
    return found or {(data.get("License") or "unknown").strip()}


def test_every_dependency_is_permissive_or_a_named_exception() -> None:
    names = closure(declared(*EXTRAS))
    odd = {name: sorted(licences(name)) for name in names - set(EXCEPTIONS) if not licences(name) <= PERMISSIVE}
    assert odd == {}
    assert len(names) > 50


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    return {
        canonicalize_name(pin[0]): pin[1] for pin in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)
    }


@pytest.mark.parametrize(("lock", "extras"), [("core.txt", ()), ("all.txt", (*EXTRAS, "dev"))])
def test_the_lock_satisfies_the_project(lock: str, extras: tuple[str, ...]) -> None:
    pins = locked(lock)
    unmet = [
        str(requirement)
        for requirement in declared(*extras)
        if requirement.name != "torch"
        and (
            canonicalize_name(requirement.name) not in pins
            or pins[canonicalize_name(requirement.name)] not in requirement.specifier
        )
    ]
    assert unmet == [], "run `make lock`"


@pytest.mark.parametrize("lock", ["core.txt", "all.txt", "torch-cpu.txt"])
def test_every_pin_has_a_hash_and_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text
    assert not re.search(r"^--(index|extra|find|trusted)", text, re.MULTILINE)


def test_the_core_is_light() -> None:
    heavy = {"torch", "transformers", "trl", "peft", "datasets", "accelerate", "ray"}
    assert heavy.isdisjoint(locked("core.txt"))


def test_every_requirement_has_bounds() -> None:
    loose = [
        text
        for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["tune"]
        if "==" not in text and not ("<" in text and ">=" in text)
    ]
    assert loose == []
