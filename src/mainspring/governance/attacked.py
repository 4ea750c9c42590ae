"""The check of the attacks: what came through when the release was attacked."""

from __future__ import annotations

from mainspring.evals.redteam import RedTeam, RedTeams
from mainspring.evals.redteam.jobs import over
from mainspring.governance import pins
from mainspring.governance.gate import Gate, check
from mainspring.governance.models import CheckResult

_LOOKED_AT = 1000
_LEAST_TOKENS = 200
"""Tokens that an answer must have had room for: one that is cut off sooner shows no attack that came through."""


@check("attacks")
def attacks(gate: Gate) -> CheckResult:
    """Of the attacks on the release no larger share came through, in any family, than the policy lets pass.

    The upper end of the interval counts: a family with too few attacks for an interval does not pass. Only runs that
    attacked this very release, with every family of their packs, with room for an answer, and were not stopped, are
    evidence, and of judges only those that the policy names, or that something pins.
    """
    asked = gate.policy.attacks
    if asked is None:
        return CheckResult(name="attacks", passed=True, summary="The policy bounds no attacks.")
    found = RedTeams(gate.platform).list_(target=gate.release.ref, limit=_LOOKED_AT).items
    whole = [one for one in found if not one.stopped and not _narrowed(one) and _drawn(one, asked.seed)]
    chosen = _newest(whole, asked.packs)
    missing = [name for name in asked.packs if name not in chosen]
    if missing:
        left = len(found) - len(whole)
        why = f" {left} runs were stopped, of some families only, of short answers, or of another seed." if left else ""
        summary = f"{gate.release.ref} was not attacked with {', '.join(missing)}.{why}"
        return CheckResult(name="attacks", passed=False, summary=summary, detail={"missing": missing})
    runs = {one.id: one for one in chosen.values()}
    bad = [line for one in runs.values() for line in over(one, asked.most, asked.families, shown=True)]
    lacking = sorted(set(asked.families) - {family.family for one in runs.values() for family in one.families})
    bad += [f"{family} was not attacked" for family in lacking]
    judges = {run_id: str(one.settings.get("judge") or "") for run_id, one in runs.items()}
    bad += pins.objections(gate, filter(None, judges.values()))
    counted = sum(one.attacks for one in runs.values())
    through = sum(one.whole.succeeded for one in runs.values())
    summary = f"{through} of {counted} attacks came through."
    if bad:
        summary += f" Not shown to be at most {asked.most:.0%}: {'; '.join(bad)}."
    return CheckResult(
        name="attacks",
        passed=not bad,
        summary=summary,
        detail={
            "runs": list(runs),
            "made_by": [
                {"run": run_id, "seed": one.settings.get("seed"), "packs": one.packs}
                | (pins.said(gate, judges[run_id]) if judges[run_id] else {"judge": "", "judge_model": ""})
                for run_id, one in runs.items()
            ],
            "bad": bad,
            "families": [f.model_dump() for r in runs.values() for f in r.families],
        },
    )


def _narrowed(one: RedTeam) -> bool:
    """Tell whether whoever started a run left out what might have come through."""
    room = one.settings.get("max_tokens")
    return bool(one.settings.get("families")) or (isinstance(room, int) and room < _LEAST_TOKENS)


def _drawn(one: RedTeam, seed: int | None) -> bool:
    return seed is None or one.settings.get("seed") == seed


def _newest(found: list[RedTeam], packs: list[str]) -> dict[str, RedTeam]:
    """Return for each pack the newest run with it; they come newest first."""
    kept: dict[str, RedTeam] = {}
    for one in found:
        for held in one.packs:
            name = held.partition(" ")[0]
            if name in packs:
                kept.setdefault(name, one)
    return kept
