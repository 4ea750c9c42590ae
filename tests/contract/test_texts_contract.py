"""Texts that a database may not like reach it as they are, or are refused as bad input: on every database alike."""

from __future__ import annotations

import pytest

from mainspring.data.service import Profiles
from mainspring.kernel import versions
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.platform import Platform
from mainspring.workspace import Members, Projects

ODD = ["\x00", "a\x00b", "\ud800", "a\nb", "'; --", "%", "\U0001f600", "e\u0301", "\x1f"]


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_an_odd_text_is_kept_or_refused(platform: Platform, text: str) -> None:
    try:
        with platform.begin() as tx:
            versions.commit(tx, "prompt", "greet", {"text": text}, note="x")
        with platform.read() as tx:
            assert versions.resolve(tx, "prompt/greet").content == {"text": text}
    except Invalid as refusal:
        assert refusal.hint
    Projects(platform).create("default")
    try:
        Members(platform).add("bob", "viewer", email=text)
        assert Members(platform).list_().items[-1].email == text
    except Invalid as refusal:
        assert refusal.hint
    with pytest.raises((NotFound, Invalid)):
        Profiles(platform).get(text)
