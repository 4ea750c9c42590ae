"""Scorers: equal to the reference packages, strict where they promise to be."""

import random

import pytest

from mainspring.evals import scorers
from mainspring.evals.scorers import Answer, metric
from mainspring.kernel.errors import Invalid
from mainspring.kernel.ports import LogLikelihoodReply
from mainspring.prompts import check_schema

WORDS = (
    "the a model returns Returned list of values file path; don't naïve 数据 test-case 3.14 tokens, and runs!".split()
)


def sentences(count, seed):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(0, 14))) for _ in range(count)]


@pytest.mark.parametrize("stemmer", [False, True])
def test_rouge_is_equal_to_rouge_score(stemmer):
    reference_scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(
        ["rouge1", "rouge2", "rougeL"], use_stemmer=stemmer
    )
    for output, reference in zip(sentences(400, 1), sentences(400, 2), strict=True):
        wanted = {name: score.fmeasure for name, score in reference_scorer.score(reference, output).items()}
        assert scorers.rouge(output, reference, stemmer=stemmer) == wanted


def test_bleu_is_equal_to_sacrebleu():
    import sacrebleu

    outputs, references = sentences(200, 3), sentences(200, 4)
    assert scorers.bleu(outputs, references) == sacrebleu.corpus_bleu(outputs, [references]).score
    assert scorers.bleu(references, references) == pytest.approx(100)
    assert scorers.bleu_signature().startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp")
    assert scorers.sentence_bleu("the cat sat", "the cat sat down") == pytest.approx(
        sacrebleu.sentence_bleu("the cat sat", ["the cat sat down"]).score
    )


def test_row_counts_add_up_to_corpus_bleu():
    outputs, references = sentences(150, 5), sentences(150, 6)
    found = metric("bleu")
    counts = [found.counts(Answer(o, r)) for o, r in zip(outputs, references, strict=True)]
    sums = [sum(column) for column in zip(*counts, strict=True)]
    assert found.scorer.corpus is not None
    assert found.scorer.corpus.figure(sums) == scorers.bleu(outputs, references)


@pytest.mark.parametrize(("outputs", "references"), [([], []), (["a"], ["a", "b"])])
def test_bleu_of_lists_that_do_not_match_is_refused(outputs, references):
    with pytest.raises(Invalid, match="two lists of one length"):
        scorers.bleu(outputs, references)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"a": 1}', 1.0),
        (" [1, 2]\n", 1.0),
        ("3", 0.0),
        ('"text"', 0.0),
        ('{"a": NaN}', 0.0),
        ('```json\n{"a": 1}\n```', 0.0),
        ('{"a": 1} and more', 0.0),
        ('{"a": 1', 0.0),
        ("", 0.0),
        ("[" * 100_000, 0.0),
    ],
)
def test_json_validity_is_strict(text, valid):
    assert metric("json").value(Answer(text)) == valid


SCHEMA = {"type": "object", "properties": {"kind": {"enum": ["a", "b"]}}, "required": ["kind"]}


@pytest.mark.parametrize(("text", "valid"), [('{"kind": "a"}', 1.0), ('{"kind": "z"}', 0.0), ("{}", 0.0), ("no", 0.0)])
def test_schema(text, valid):
    assert metric("schema").value(Answer(text, schema=SCHEMA)) == valid
    assert metric("schema").value(Answer(text)) is None


def test_a_schema_is_checked_and_looks_nothing_up():
    check_schema(SCHEMA)
    with pytest.raises(Invalid, match="not valid at properties/kind"):
        check_schema({"properties": {"kind": {"type": "no such type"}}})
    elsewhere = {"$ref": "http://example.com/schema.json"}
    with pytest.raises(Invalid, match="outside itself"):
        check_schema({"properties": {"a": elsewhere}})
    with pytest.raises(Invalid, match="cannot be resolved"):
        metric("schema").value(Answer("{}", schema=elsewhere))


REFERENCE = {"package": "json", "n": 1, "inner": {"list": ["x", "y"]}}


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("package", '{"package": " json "}', 1.0),
        ("package", '{"package": "yaml"}', 0.0),
        ("package", "json", 0.0),
        ("n", '{"n": 1}', 1.0),
        ("n", '{"n": true}', 0.0),
        ("n", '{"n": "1"}', 0.0),
        ("inner.list.1", '{"inner": {"list": ["q", "y"]}}', 1.0),
        ("inner.list.1", '{"inner": {"list": ["q"]}}', 0.0),
        ("missing", '{"missing": 1}', None),
    ],
)
def test_field_accuracy(path, text, value):
    assert metric(f"field:{path}").value(Answer(text, REFERENCE)) == value


def test_a_reference_may_be_json_text():
    assert metric("field:package").value(Answer('{"package": "json"}', '{"package": "json"}')) == 1.0


def test_a_field_is_compared_and_prose_is_taken_whole():
    reference = {"summary": "Read a file."}
    assert metric("rougeL:summary").value(Answer('{"summary": "Read a file."}', reference)) == 1.0
    assert metric("rougeL:summary").value(Answer("Read a file.", reference)) == 1.0
    assert metric("rougeL").value(Answer('{"summary": "Read a file."}', reference)) == 1.0
    assert metric("rouge1-stem").value(Answer("reading files", "read file")) == 1.0


def test_text_scorers():
    assert metric("exact").value(Answer(" yes\n", "yes")) == 1.0
    assert metric("exact").value(Answer("Yes", "yes")) == 0.0
    assert metric("normalised").value(Answer("The Answer, is  YES!", "answer is yes")) == 1.0
    assert metric("exact").value(Answer("yes")) is None
    assert metric("exact:a").value(Answer('{"a": 3}', {"a": 3})) == 1.0


def test_usage_scorers_pass_on_what_was_measured():
    answer = Answer("x", latency_ms=12.5, input_tokens=7, output_tokens=3, cost=0.1, finish_reason="length")
    found = {name: metric(name).value(answer) for name in ("latency", "ttft", "input_tokens", "output_tokens", "cost")}
    assert found == {"latency": 12.5, "ttft": None, "input_tokens": 7.0, "output_tokens": 3.0, "cost": 0.1}
    assert metric("complete").value(answer) == 0.0


def test_perplexity_is_one_over_the_mean_probability():
    answer = Answer("", "gold", likelihood=LogLikelihoodReply(total=-2 * 1.0986122886681098, tokens=2))
    assert metric("perplexity").value(answer) == pytest.approx(3.0)
    assert metric("perplexity").value(Answer("", "gold")) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [("nothing", "no scorer 'nothing'"), ("field", "needs an argument"), ("json:a", "takes no argument")],
)
def test_a_metric_that_does_not_exist_is_refused(text, message):
    with pytest.raises(Invalid, match=message):
        metric(text)


def test_every_scorer_says_what_it_does():
    assert all(found.summary.endswith(".") for found in scorers.registered())
    assert len(scorers.registered()) >= 18


def test_a_scorer_of_ones_own_is_one_function():
    @scorers.scorer("test-length", unit="score")
    def length(answer, argument):
        """Characters of the answer."""
        return float(len(answer.text))

    assert metric("test-length").value(Answer("four")) == 4.0
