"""Prompt injection: rules for the well-known shapes, and a small linear classifier for their paraphrases.

Both also look at what a simple disguise hides. Neither is a proof of innocence. Rules score by how seldom honest text looks like them; the classifier's probability is used
where it is higher. A text is judged as a whole, so a stream is held back entirely where such a rule masks or blocks.
"""

# ruff: noqa: E501 - a pattern reads best on one line

from __future__ import annotations

import re

from mainspring.safety.classifier import probability
from mainspring.safety.detectors import detector, hold_all
from mainspring.safety.models import Hit, Rule
from mainspring.safety.scan import Scan, loosened
from mainspring.safety.views import decoded, plain

_PRIOR = r"(?:previous|prior|above|earlier|preceding|former|foregoing|existing|initial|original|current|system|your|these|those|the|all|any|of|every)"
_ORDERS = r"(?:instructions?|prompts?|rules?|guidelines?|directions?|directives?|commands?|constraints?|orders?|restrictions|policies|programming|training)"
_RULES: tuple[tuple[str, float, str], ...] = (
    (
        "override",
        0.95,
        r"\b(?:ignore|disregard|forget|override|overrule|bypass|pay no attention to|do not (?:follow|obey))"
        rf"\s+(?:(?:\w+\s+)?{_PRIOR}\s+){{1,5}}(?:\w+\s+)?{_ORDERS}\b",
    ),
    (
        "override",
        0.9,
        r"\b(?:ignore|disregard|forget)\s+(?:everything|anything|all)\s+(?:(?:that\s+)?(?:you(?:'ve| have| were)|i(?:'ve| have)|we(?:'ve| have))?\s*"
        r"(?:been\s+)?(?:told|said|learned|before|above|previously|prior|written))",
    ),
    (
        "leak",
        0.9,
        r"\b(?:reveal|show|print|repeat|output|display|disclose|leak|recite|dump|tell me|give me|what (?:is|are|was|were)|copy|paste|echo|spell out)\b"
        r"[^.\n]{0,40}\b(?:your|the|its)\s+(?:\w+\s+){0,3}(?:system (?:prompt|message|instructions?)|hidden (?:prompt|instructions?)"
        r"|initial (?:prompt|instructions?)|(?:secret|original|confidential|internal) (?:prompt|instructions?|rules))",
    ),
    (
        "leak",
        0.85,
        r"\b(?:repeat|print|output|recite|copy)\b[^.\n]{0,30}\b(?:words?|text|everything|all|content)\b[^.\n]{0,20}\b(?:above|before this|up to here)\b",
    ),
    (
        "persona",
        0.9,
        r"\b(?:you are|act as|become|pretend (?:to be|you are)|simulate|from now on you(?:'re| are)?)\b[^.\n]{0,60}"
        r"\b(?:DAN|do anything now|jail ?broken|unrestricted|unfiltered|uncensored|no (?:restrictions|rules|limits|filters|guidelines|ethics)"
        r"|without (?:any )?(?:restrictions|rules|limits|filters|limitations|censorship)|developer mode|evil)\b",
    ),
    (
        "persona",
        0.85,
        r"\b(?:developer|debug|god|admin|maintenance|sudo|jailbreak) mode\b[^.\n]{0,40}\b(?:enabled?|activated?|on|unlocked)\b",
    ),
    (
        "delimiter",
        0.9,
        r"<\|(?:im_start|im_end|system|assistant|endoftext|eot_id|start_header_id)\|>|\[/?INST\]|<</?SYS>>|<(?:/?)(?:start|end)_of_turn>",
    ),
    (
        "delimiter",
        0.8,
        r"(?:^|\n)\s*(?:#{2,}|-{3,}|={3,}|\[|<)\s*(?:end of|new|begin|start|updated?)\s+(?:\w+\s+){0,2}(?:system )?(?:prompt|instructions?|user input)\b",
    ),
    (
        "delimiter",
        0.75,
        r"(?:^|\n)\s*[\[<#*]{0,3}\s*system\s*(?:override|message|note|update|alert)?\s*[\]>*]{0,3}\s*:\s*(?:you|ignore|new|from now|do not|the)\b",
    ),
    (
        "exfiltrate",
        0.85,
        r"\b(?:send|post|forward|upload|transmit|append|encode|exfiltrate|leak)\b[^.\n]{0,60}\b(?:conversation|chat history|system prompt|api keys?"
        r"|credentials|passwords?|user(?:'s)? data|secrets?|previous messages)\b[^.\n]{0,60}(?:https?://|\bto\b[^.\n]{0,30}@|!\[)",
    ),
    (
        "hijack",
        0.8,
        r"\b(?:your|the) (?:new|real|actual|true|only) (?:task|instructions?|goal|objective|purpose|mission) (?:is|are|now|:)",
    ),
    (
        "hijack",
        0.8,
        r"\b(?:ai|llm|assistant|language model|chatbot|bot)s?\b[^.\n]{0,20}\b(?:reading|processing|summari[sz]ing|parsing|analy[sz]ing) this\b[^.\n]{0,60}"
        r"\b(?:must|should|please|ignore|instead|do not|say|respond|output)\b",
    ),
    (
        "override",
        0.9,
        r"\b(?:ignora|ignorez|oubliez|oublie|olvida|ignoriere|vergiss|ignoriert|ignorar|esque[cç]a|dimentica|negeer|vergeet)\s+(?:\w+\s+){0,4}"
        r"(?:instrucciones|instructions|anweisungen|instru[cç][oõ]es|istruzioni|instructies|regeln|reglas|r[eè]gles|vorgaben|consignes)\b",
    ),
    (
        "override",
        0.9,
        r"(?:忽略|无视|忘记).{0,8}(?:指令|指示|提示|规则)|игнорируй.{0,20}инструкци|以前の指示を無視|이전.{0,6}지시.{0,6}무시",
    ),
)
_COMPILED = {
    str(number): (kind, score, re.compile(rule, re.IGNORECASE)) for number, (kind, score, rule) in enumerate(_RULES)
}
_SCAN = Scan({str(number): loosened(rule) for number, (_, _, rule) in enumerate(_RULES)})

_LONG_WORD = re.compile(r"[^\W\d_]{3,}")
_SOME = 4
"""Words that a decoded text needs to be judged by its meaning."""


@detector("injection", hold=hold_all)
def find_injection(text: str, start: int, rule: Rule) -> list[Hit]:
    """Attempts to override instructions, leak the prompt, change persona, forge delimiters or exfiltrate."""
    seen = plain(text)
    hits = _ruled(seen, rule, (0, len(text)) if len(seen) != len(text) else None)
    if not hits or rule.kinds:
        for view in decoded(seen):
            hits += _ruled(view, rule, (0, len(text)))
    if not rule.kinds or "classifier" in rule.kinds:
        views = [view for view in decoded(seen) if len(_LONG_WORD.findall(view)) >= _SOME]
        score = max(map(probability, (seen, *views)))
        if score >= rule.threshold:
            hits.append(Hit(detector="injection", kind="classifier", start=0, end=len(text), score=round(score, 4)))
    return hits


def _ruled(text: str, rule: Rule, whole: tuple[int, int] | None) -> list[Hit]:
    """Return the rules that match; where the offsets do not fit the given text, the hit is the whole of it."""
    hits = []
    for number in sorted(_SCAN(text), key=int):
        kind, score, pattern = _COMPILED[number]
        match = pattern.search(text) if not rule.kinds or kind in rule.kinds else None
        if match:
            start, end = whole or match.span()
            hits.append(Hit(detector="injection", kind=kind, start=start, end=end, score=score))
    return hits
