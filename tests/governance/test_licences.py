"""Which licences the gate accepts."""

from __future__ import annotations

import pytest

from mainspring.governance.licences import accepted, identify


@pytest.mark.parametrize(
    "name",
    ["MIT", "MIT License", "Apache 2.0", "Apache License, Version 2.0", "BSD 2-Clause License", "PSF-2.0", "PSFL",
     "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", "GPL-3.0 OR MIT", "(MIT OR Apache-2.0) AND ISC",
     "Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSL-1.0", "Python Software Foundation License"],
)  # fmt: skip
def test_permissive_licences_are_accepted(name: str) -> None:
    assert accepted(name)


@pytest.mark.parametrize(
    "name",
    ["", "unknown", "any-OSI", "GPL-3.0-or-later", "LGPL-3.0-only", "AGPL-3.0", "MPL-2.0 AND MIT", "CC-BY-NC-4.0",
     "Proprietary", "MIT AND GPL-2.0",
     "(MIT OR Apache-2.0) AND GPL-3.0", "GPL-3.0 AND (MIT OR ISC)",
     "GNU General Public License v3 (GPLv3)", "MIT and something"],
)  # fmt: skip
def test_others_and_unknown_ones_are_not(name: str) -> None:
    assert not accepted(name)


def test_a_licence_can_be_accepted_by_name() -> None:
    assert accepted("MPL-2.0 AND MIT", ["MPL-2.0"])
    assert accepted("Mozilla Public License 2.0 (MPL 2.0)", ["MPL-2.0"])
    assert accepted("any-OSI", ["any-OSI"])
    assert not accepted("GPL-3.0", ["MPL-2.0"])
    assert identify("GNU Lesser General Public License") == "LGPL"
