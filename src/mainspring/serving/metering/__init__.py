"""Metering: who used what, and who may: limits and budgets that are reserved before a call and settled after it.

Processes lease blocks of what is allowed from the records and spend them in memory; a journal makes the books right
after a crash.
"""

from mainspring.serving.metering.billing import Billing
from mainspring.serving.metering.leases import Ticket
from mainspring.serving.metering.meter import Meter
from mainspring.serving.metering.models import BudgetSpent, Need, Payer
from mainspring.serving.metering.recovery import recover
from mainspring.serving.metering.service import Budgets, Limits, Usages

__all__ = [
    "Billing",
    "BudgetSpent",
    "Budgets",
    "Limits",
    "Meter",
    "Need",
    "Payer",
    "Ticket",
    "Usages",
    "recover",
]
