"""The traffic that is measured: an assistant that looks things up, calls tools and answers, told the same to everybody.

A trace has 5 to 10 spans: the agent, a retrieval of three documents, model calls with their messages, and tools. Words
are drawn by Zipf's law from 20,000, names of sessions, users and calls are many, so that an index grows as it would.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["agent", "retriever", "chat", "tool"]
Message = dict[str, Any]

SYSTEM = (
    "You are the assistant of a shop for bicycles and their parts. Answer from the documents that you are given and "
    "from the tools, never from memory. Say so where you do not know. Name the document that an answer stands in. "
    "Keep to two or three sentences, and ask back where the question may mean two things."
)
MODELS = ("gpt-4o-mini", "gpt-4o", "claude-sonnet-4", "llama-3.3-70b", "mistral-small")
TOOLS = ("find_order", "stock_level", "delivery_date", "price_of")
PLANTED = "quillwort"
"""A word that stands in one trace alone."""
ABSENT = "zymurgical"


@dataclass(slots=True)
class Made:
    """One span, before any dialect."""

    number: int
    parent: int | None
    kind: Kind
    name: str
    start_ns: int
    end_ns: int
    failed: bool = False
    model: str = ""
    call_id: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    said: list[Message] = field(default_factory=list)
    """What went in: messages of `role` and `content`."""
    answered: list[Message] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)

    @property
    def span_id(self) -> bytes:
        """Its id, 8 bytes."""
        return (self.number + 1).to_bytes(8, "big")


@dataclass(slots=True)
class MadeTrace:
    """One trace; its spans in the order in which they end, as an exporter sends them."""

    number: int
    session: str
    user: str
    environment: str
    deployment: str
    release: str
    service: str
    spans: list[Made]

    @property
    def trace_id(self) -> bytes:
        """Its id, 16 bytes."""
        return (0xA1 << 120 | self.number + 1).to_bytes(16, "big")


class Traffic:
    """Makes traces one after the other, the same for the same seed."""

    def __init__(self, start_ns: int, gap_ns: int, seed: int = 5) -> None:
        """The first trace starts at `start_ns`, each next one `gap_ns` later."""
        self._chance = random.Random(seed)
        self._start, self._gap = start_ns, gap_ns
        self._spans = self._traces = 0
        chance = random.Random(seed + 1)
        vocabulary = [_word(chance) for _ in range(20_000)]
        pick = lambda: vocabulary[min(int(chance.paretovariate(0.7)) - 1, 19_999)]  # noqa: E731
        self._sentences = [
            " ".join(pick() for _ in range(chance.randint(8, 16))).capitalize() + "." for _ in range(8_192)
        ]

    def traces(self, spans: int) -> Iterator[MadeTrace]:
        """Yield traces of `spans` spans in all; the last is cut short where it must be."""
        while spans > 0:
            trace = self._trace(min(spans, 5 + self._chance.randrange(6)))
            spans -= len(trace.spans)
            yield trace

    def _trace(self, count: int) -> MadeTrace:
        chance, number = self._chance, self._traces
        self._traces += 1
        begun = self._start + number * self._gap
        spans: list[Made] = []

        def add(parent: int | None, kind: Kind, name: str, **more: Any) -> Made:
            at = begun + len(spans) * 40_000_000
            made = Made(self._spans, parent, kind, name, at, at + chance.randrange(5_000_000, 900_000_000), **more)
            self._spans += 1
            spans.append(made)
            return made

        question = self._text(2)
        if number == 11:
            question += f" What is a {PLANTED}?"
        asked: list[Message] = [{"role": "user", "content": question}]
        root = add(None, "agent", "invoke_agent shop-assistant", said=asked)
        model = MODELS[min(int(chance.paretovariate(1.2)) - 1, 4)]
        documents = [self._text(5) for _ in range(3)]
        talk: list[Message] = [{"role": "system", "content": SYSTEM}, *asked]
        if count > 1:
            add(root.number, "retriever", "retrieve handbook", said=asked, documents=documents)
            found = "\n\n".join(documents)
            talk = [{"role": "system", "content": f"{SYSTEM}\n\n{found}"}, *asked]
        while len(spans) < count:
            tool = TOOLS[chance.randrange(4)]
            more = len(spans) + 2 <= count
            text = f"{tool}(order='{chance.randrange(10**9)}')" if more else self._text(5)
            reply: Message = {"role": "assistant", "content": text}
            add(
                root.number, "chat", f"chat {model}", model=model, said=list(talk), answered=[reply],
                failed=chance.random() < 0.01, call_id=f"chatcmpl-{chance.getrandbits(96):024x}",
                input_tokens=sum(len(message["content"]) for message in talk) // 4, output_tokens=len(text) // 4,
            )  # fmt: skip
            talk.append(reply)
            if more:
                told: Message = {"role": "tool", "content": self._text(2)}
                add(root.number, "tool", f"execute_tool {tool}", said=[reply], answered=[told])
                talk.append(told)
        root.answered = [talk[-1]]
        root.end_ns = max(span.end_ns for span in spans) + 1_000_000
        return MadeTrace(
            number=number,
            session=f"session-{number // 4:08d}",
            user=f"user-{min(int(chance.paretovariate(0.9)), 200_000)}",
            environment=("production", "production", "production", "staging")[chance.randrange(4)],
            deployment=f"shop-{chance.randrange(4)}",
            release=f"release/shop@{1 + number // 20_000}",
            service=f"shop-api-{chance.randrange(3)}",
            spans=[*spans[1:], root],
        )

    def _text(self, sentences: int) -> str:
        return " ".join(self._chance.choices(self._sentences, k=sentences))


def _word(chance: random.Random) -> str:
    parts = "ba be bi bo bu da de di do du ka ke ki ko ku la le li lo lu ma me mi mo mu ra re ri ro ru sta stro ten ver"
    return "".join(chance.choices(parts.split(), k=chance.randint(2, 4)))
