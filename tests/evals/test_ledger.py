"""The ledger keeps every answer through the death of the process that wrote it."""

import pytest

from mainspring.evals.ledger import Ledger
from mainspring.kernel import access
from mainspring.kernel.jobs import Job
from mainspring.kernel.ports import ChatReply


@pytest.fixture
def job(platform):
    return Job(platform, "0196-run", {}, access.current())


def reply(number):
    return ChatReply(f"answer {number} ✓\nand more", "stop", 5, 7, 0.0, 12.5, None, "")


def test_answers_are_found_by_the_next_attempt_though_nothing_was_closed(job):
    dead = Ledger(job)
    for number in range(450):
        dead.add(f"{number:064x}", reply(number), 1)
    keys = [f"{number:064x}" for number in range(460)]
    found = Ledger(job).known(keys, reuse=False)
    assert len(found) == 450
    assert found[keys[449]] == (reply(449), True)


def test_an_answer_that_holds_the_line_ends_of_unicode_is_found(job):
    answer = ChatReply("one\u2028two\u2029three\u0085four\rfive\x0bsix\x1cseven", "stop", 5, 7, 0.5, 12.5, None, "")
    Ledger(job).add("a" * 64, answer, 1)
    assert Ledger(job).known(["a" * 64], reuse=False) == {"a" * 64: (answer, True)}


def test_a_line_that_was_cut_off_is_dropped_and_the_rest_is_kept(job):
    dead = Ledger(job)
    dead.add("a" * 64, reply(1), 1)
    journal = job.workdir / "calls.jsonl"
    with journal.open("a") as file:
        file.write('["bbbb", {"text": "half an ans')
    found = Ledger(job).known(["a" * 64, "bbbb"], reuse=False)
    assert list(found) == ["a" * 64]


def test_what_was_settled_is_not_settled_twice(job):
    first = Ledger(job)
    first.add("a" * 64, reply(1), 1)
    line = (job.workdir / "calls.jsonl").read_text()
    first.settle()
    (job.workdir / "calls.jsonl").write_text(line)
    assert list(Ledger(job).known(["a" * 64], reuse=False)) == ["a" * 64]


def test_another_run_sees_answers_only_where_they_may_be_reused(job, platform):
    mine = Ledger(job)
    mine.add("a" * 64, reply(1), 1)
    mine.close()
    other = Ledger(Job(platform, "0197-run", {}, access.current()))
    assert other.known(["a" * 64], reuse=False) == {}
    assert other.known(["a" * 64], reuse=True) == {"a" * 64: (reply(1), False)}


def test_answers_to_the_questions_of_another_ledger_wait_for_it_though_they_are_stored(job):
    dead = Ledger(job)
    dead.add("a" * 64, reply(1), 7)
    told = []

    def mine(wanted):
        def before(answers):
            told.append((wanted, {key: at for key, (_, at) in answers.items() if key == wanted}))
            return [key for key in answers if key != wanted]

        return before

    first = Ledger(job, mine("b" * 64))
    first.add("b" * 64, reply(2), 8)
    first.close()
    assert set(first.known(["a" * 64, "b" * 64], reuse=False)) == {"a" * 64, "b" * 64}
    Ledger(job, mine("a" * 64)).close()
    Ledger(job, mine("a" * 64)).close()
    assert [each for each in told if each[1]] == [("b" * 64, {"b" * 64: 8}), ("a" * 64, {"a" * 64: 7})]
