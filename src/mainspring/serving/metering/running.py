"""Running: which meters a process has, so that a change of what is allowed reaches them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet

from mainspring.kernel.platform import Platform

if TYPE_CHECKING:
    from mainspring.serving.metering.meter import Meter


class Listed:
    """A meter's place in the list; it keeps the place, and loses it with its life."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter


_listed: WeakKeyDictionary[Platform, WeakSet[Listed]] = WeakKeyDictionary()


def enter(platform: Platform, meter: Meter) -> Listed:
    """Add a meter, for as long as somebody holds the place that is returned."""
    place = Listed(meter)
    _listed.setdefault(platform, WeakSet()).add(place)
    return place


def meters(platform: Platform) -> list[Meter]:
    """Return the meters of this process."""
    return [place.meter for place in _listed.get(platform, ())]
