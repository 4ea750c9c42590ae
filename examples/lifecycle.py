"""The lifecycle of a language model on a page: data, prompt, evaluation, tuning, review, serving, monitoring.

Start a server (`mainspring up`), then run `python examples/lifecycle.py`. `--steps 4 --rows 8` is a quick look.
`mainspring demo` does the same with more evidence, a canary, an attack, drift and a report.
"""

from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from openai import OpenAI

from mainspring.data.corpus import make_corpus
from mainspring.governance.models import GatePolicy
from mainspring.kernel.errors import Conflict
from mainspring.prompts.models import Message
from mainspring.safety.models import Rule
from mainspring.surfaces.client import Client
from mainspring.tuning.models import SftConfig

options = ArgumentParser(description=__doc__)
options.add_argument("--steps", type=int, default=70, help="optimiser steps of the tuning")
options.add_argument("--rows", type=int, default=100, help="held-out rows to evaluate on")
given = options.parse_args()
here = Path(__file__).parent
me = Client()

# 1. Data: docstrings of the packages installed here, prepared by a recipe into splits that do not leak.
recipe = yaml.safe_load((here / "docstrings.yaml").read_text())
with TemporaryDirectory() as folder:
    corpus = Path(folder) / "docstrings.jsonl"
    make_corpus(corpus, packages=["python", "numpy", "scipy", "pandas", "sqlalchemy", "pydantic"], per_package=400)
    raw = me.dataset.import_("docstrings-raw", corpus)
me.wait(me.recipe.run(recipe, raw.ref, name="docstrings"))
rows = me.dataset.get("docstrings")
print(rows.ref, rows.splits)

# 2. Prompt: a versioned template.
system = 'Describe the code. Answer with one JSON object with the keys "summary", "kind" and "package".'
prompt = me.prompt.commit(
    "describe", [Message(role="system", content=system), Message(role="user", content="{{input}}")]
)

# 3. Evaluation of the model as it comes.
base = me.model.pull("smollm2")
asked = {"prompt": prompt.ref, "scorers": ["json", "field:package", "rougeL:summary"], "limit": given.rows}
before = me.wait(me.experiment.run(rows.ref, base.ref, **asked, max_tokens=80)).id

# 4. Tuning on the training split, and the same evaluation again.
config = SftConfig(prompt=prompt.ref, steps=given.steps)
tuned = me.wait(me.tune.sft(rows.ref, base.ref, name="describe-lora", config=config)).result["model"]
after = me.wait(me.experiment.run(rows.ref, tuned, **asked, max_tokens=80)).id
for metric in me.experiment.compare(before, after).metrics:
    print(metric.sentence)

# 5. Review: a release pins what is served; the gate looks at the evidence; somebody else approves.
guard = me.guard.create("describe", [Rule(detector="injection", on="input", action="block")])
release = me.release.create("describe", model=tuned, prompt=prompt.ref, guard=guard.ref)
# A handful of rows shows nothing: then nothing need be shown, which is no evidence that the release is good.
policy = GatePolicy(evidence="not shown worse" if given.rows < 100 else "better")
me.release.check("describe", candidate=[after], baseline=[before], policy=policy)
with suppress(Conflict):  # a colleague from an earlier round
    me.member.add("colleague", "operator")
with Client(me.url, me.key.create("colleague", expires_hours=1).secret) as colleague:
    if me.release.get("describe").state != "approved":
        colleague.release.approve("describe", note="read the evidence")

# 6. Serving: behind an OpenAI-compatible address, under the deployment's name.
try:
    me.deployment.create("describe", release.ref)
except Conflict:
    me.deployment.roll("describe", release.ref, weight=1.0)
    me.deployment.promote("describe")
api = OpenAI(base_url=f"{me.url}/v1", api_key=me.api_key)
question = me.dataset.rows("docstrings", split="test", limit=1).items[0].messages[0].content
reply = api.chat.completions.with_raw_response.create(
    model="describe", messages=[{"role": "user", "content": question}], max_tokens=80
)
trace_id = reply.headers["x-mainspring-trace-id"]
print(reply.parse().choices[0].message.content)

# 7. Monitoring, and back to data: a judged answer becomes a row; the answer's lineage is one question away.
correction = '{"summary": "…", "kind": "function", "package": "python"}'
me.score.create("feedback", trace_id=trace_id, number=0, correction=correction)
print(me.dataset.collect("describe-feedback", score="feedback", at_most=0).ref)
why = me.lineage.show(f"trace/{trace_id}")
print("made from", [node.ref for node in why.upstream], "approved by", [d.member for d in why.decisions])
print("nearest training row:", why.nearest[0].text[:80] if why.nearest else "–")
print("audit log verified:", me.audit.verify().verified)
