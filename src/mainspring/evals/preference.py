"""Preference: which of two experiments' answers a judge finds better, row by row, whatever the order they stand in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from mainspring import stats
from mainspring.evals import store
from mainspring.evals.calls import Budget
from mainspring.evals.judging import Judging
from mainspring.evals.models import Experiment, ExperimentRow, Judgement, Verdict
from mainspring.evals.repeats import as_units
from mainspring.evals.scorers import Answer
from mainspring.evals.scorers.judges import Judge, load, read, requests
from mainspring.evals.scoring import answer_of
from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.jobs import Job, job
from mainspring.kernel.ports import JSON, ChatReply, Files
from mainspring.kernel.records import Record
from mainspring.kernel.tables import canonical
from mainspring.kernel.tx import Tx
from mainspring.kernel.versions import Version
from mainspring.registry import grant_file

KIND = "experiment.prefer"
STORED = "preference"
Winner = Literal["baseline", "candidate", "tie"]
_OF = {"A": "candidate", "B": "baseline"}


class PreferenceRow(Record):
    """What a judge prefers in one row."""

    row: str
    repeat: int
    group: str
    winner: Winner
    """A tie too where the judge says one thing in one order and another in the other."""
    swayed: int = 0
    """Trials in which the order decided."""
    said: list[Judgement] = []
    """Each time it was asked; `A` stands for the candidate. Empty where both answers are the same, a tie unasked."""


class Preference(Record):
    """Which of two experiments a judge prefers, over the rows that both have."""

    ref: str = ""
    """`preference/baseline-id.candidate-id@number`."""
    baseline: str
    candidate: str
    judge: str
    """Exact reference."""
    n: int
    """Rows that were judged."""
    unjudged: int
    """Rows that both have, and that the judge gave no answer of the form asked for, or was not asked about."""
    wins: int
    """Rows in which the candidate is preferred."""
    losses: int
    ties: int
    swayed: int
    """Rows in which the order decided in some trial: they tell how far the judge can be relied on."""
    win_rate: float
    """Share of rows that the candidate wins, a tie counted as half."""
    low: float | None
    """Null where rows are too few for any interval."""
    high: float | None
    level: float
    method: str
    p_value: float
    """Exact sign test of wins against losses, two-sided; ties say nothing (Conover 1999, section 3.4)."""
    verdict: Verdict
    """The candidate's."""
    needed: int | None
    sentence: str
    stopped: str = ""
    calls: int
    cost: float
    """US dollars."""
    file: str
    """SHA-256 of the rows' file."""
    created_at: datetime | None = None
    created_by: str = ""


@job(KIND)
def run(task: Job) -> JSON:
    """Have every row judged in both orders, and store what came of it."""
    p = task.params
    with task.read() as tx:
        ref, judge = load(tx, p["judge"].partition("/")[2])
        baseline, candidate = store.load(tx, p["baseline"]), store.load(tx, p["candidate"])
    judging = Judging(task, lambda so_far: Budget(p["max_calls"], p["max_cost"], so_far.calls, so_far.cost))
    pairs = shared(task.platform.files, baseline, candidate)[: p["limit"]]
    rows = _judge(judge, judging, pairs)
    if not rows:
        raise Invalid(f"{ref} judged no row.", hint="Try it: `mainspring scorer try`. " + judging.stopped)
    file = write(task.platform.files, rows)
    found = summary(rows, len(pairs) - len(rows), baseline.id, candidate.id, ref, judging, file)
    with task.begin() as tx:
        grant_file(tx, file)
        content = found.model_dump(mode="json", exclude={"ref", "created_at", "created_by"})
        stored = versions.commit(tx, STORED, name_of(baseline.id, candidate.id), content)
    return {**content, "ref": stored.ref}


def shared(files: Files, baseline: Experiment, candidate: Experiment) -> list[tuple[ExperimentRow, ExperimentRow]]:
    """Return the rows that both have, by row and repeat. Raises Invalid for other datasets, or where none is shared."""
    if baseline.dataset != candidate.dataset:
        raise Invalid(
            f"The experiments are over {baseline.dataset} and {candidate.dataset}.",
            hint="Run both over the same version of a dataset.",
        )
    left = {(row.row, row.repeat): row for row in store.read_rows(files, baseline.file)}
    pairs = [
        (left[key], row) for row in store.read_rows(files, candidate.file) if (key := (row.row, row.repeat)) in left
    ]
    if not pairs:
        raise Invalid("The experiments have no row in common.", hint="Use the same split, limit and seed.")
    return pairs


def _judge(judge: Judge, judging: Judging, pairs: Sequence[tuple[ExperimentRow, ExperimentRow]]) -> list[PreferenceRow]:
    asked = [[] if old.answer == new.answer else requests(judge, _shown(old, new)) for old, new in pairs]
    replies = iter(judging.ask([request for some in asked for request in some]))
    rows = []
    for (_, new), some in zip(pairs, asked, strict=True):
        found = decide(judge, [next(replies) for _ in some])
        if found is None:
            continue
        winner, swayed, said = found
        rows.append(
            PreferenceRow(row=new.row, repeat=new.repeat, group=new.group, winner=winner, swayed=swayed, said=said)
        )
    return rows


def _shown(old: ExperimentRow, new: ExperimentRow) -> Answer:
    """Return the candidate's answer, with the baseline's as its opponent."""
    shown = answer_of(new)
    return Answer(shown.text, old.answer, question=shown.question, key=shown.key)


def decide(judge: Judge, replies: Sequence[ChatReply | None]) -> tuple[Winner, int, list[Judgement]] | None:
    """Return who wins, in how many trials the order decided, and what was said; None where no trial is whole.

    `replies` are two a trial, the second with the answers swapped. A trial whose orders disagree is a tie; whoever
    wins more trials wins. Without replies the answers are the same: a tie.
    """
    if not replies:
        return "tie", 0, []
    balance = swayed = 0
    said: list[Judgement] = []
    for first, second in zip(replies[::2], replies[1::2], strict=True):
        one, other = read(judge, first), read(judge, second, swapped=True)
        if one is None or other is None:
            continue
        said += [one, other]
        if one.step != other.step:
            swayed += 1
        elif one.step in _OF:
            balance += 1 if _OF[one.step] == "candidate" else -1
    if not said:
        return None
    return "candidate" if balance > 0 else "baseline" if balance < 0 else "tie", swayed, said


def summary(
    rows: Sequence[PreferenceRow], unjudged: int, baseline: str, candidate: str, ref: str, judging: Judging, file: str
) -> Preference:
    """Return what rows show, by the product's one rule: the difference between the shares of wins and of losses.

    The win rate is a half plus half that difference, and so is its interval.
    """
    units = as_units([_unit(row) for row in rows])
    won, lost = ([float(row.winner == side) for row in rows] for side in ("candidate", "baseline"))
    found = stats.compare_paired(lost, won, [unit.group for unit in units])
    wins, losses = int(sum(won)), int(sum(lost))
    low, high = (None if end is None else 0.5 + end / 2 for end in (found.low, found.high))
    return Preference(
        baseline=baseline,
        candidate=candidate,
        judge=ref,
        n=len(rows),
        unjudged=unjudged,
        wins=wins,
        losses=losses,
        ties=len(rows) - wins - losses,
        swayed=sum(row.swayed > 0 for row in rows),
        win_rate=0.5 + found.difference / 2,
        low=low,
        high=high,
        level=found.level,
        method=found.method,
        p_value=found.p_value,
        verdict=found.verdict,
        needed=found.needed,
        sentence=_in_words(found, wins, losses, low, high),
        stopped=judging.stopped,
        calls=judging.calls,
        cost=judging.cost,
        file=file,
    )


def _unit(row: PreferenceRow) -> ExperimentRow:
    return ExperimentRow(
        row=row.row, repeat=row.repeat, group=row.group, messages=[], reference=None, answer="", scores={}
    )


def _in_words(found: stats.PairedDifference, wins: int, losses: int, low: float | None, high: float | None) -> str:
    span = "no interval" if low is None or high is None else f"{found.level:.0%} interval {low:.0%} to {high:.0%}"
    verdict = found.verdict[0].upper() + found.verdict[1:]
    rate = 0.5 + found.difference / 2
    said = f"{verdict}: the candidate wins {rate:.0%} of {found.n} rows, ties as half"
    said += f" ({span}; {wins} wins, {losses} losses, {found.n - wins - losses} ties)"
    return said + (f"; about {found.needed} rows would do." if found.needed and found.needed > found.n else ".")


def name_of(baseline: str, candidate: str) -> str:
    """Return the name under which the preferences of a pair are kept."""
    return f"{baseline}.{candidate}"


def page(tx: Tx, baseline: str, candidate: str, limit: int, cursor: str) -> tuple[list[Preference], str | None]:
    """Return a page of what judges preferred of a pair, newest first."""
    name = name_of(store.load(tx, baseline).id, store.load(tx, candidate).id)
    try:
        found, following = versions.list_(tx, STORED, name, limit, cursor)
    except NotFound:
        return [], None
    return [shown(version) for version in found], following


def shown(version: Version) -> Preference:
    """Make the record of a version."""
    facts: Mapping[str, JSON] = {
        "ref": version.ref,
        "created_at": version.created_at,
        "created_by": version.created_by,
    }
    return Preference.model_validate(version.content).model_copy(update=dict(facts))


def write(files: Files, rows: Sequence[PreferenceRow]) -> str:
    """Store rows as JSON lines in zstd and return the file's address."""
    import zstandard

    lines = "\n".join(canonical(row.model_dump()) for row in rows)
    return files.put(zstandard.ZstdCompressor(level=3).compress(lines.encode())).sha256


def read_rows(files: Files, sha256: str) -> list[PreferenceRow]:
    """Return the rows of a file that `write` stored. Raises NotFound."""
    return [PreferenceRow.model_validate(json.loads(line)) for line in store.lines(files, sha256)]
