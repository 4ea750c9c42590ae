"""Routing: one name, several places that may answer, and what is done where one of them fails.

A route is asked as a deployment is. Which candidate gets a call, and what follows a failure, its terms say.
"""

from mainspring.serving.routing.board import board_of
from mainspring.serving.routing.plans import Routed, lookup, resolve, with_prompt
from mainspring.serving.routing.router import Router
from mainspring.serving.routing.service import Routes

__all__ = ["Routed", "Router", "Routes", "board_of", "lookup", "resolve", "with_prompt"]
