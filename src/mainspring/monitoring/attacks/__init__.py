"""Attacks in live traffic: guard hits grouped, keys held against their own past, consumption without bound."""

from mainspring.monitoring.attacks.models import AttackCluster, AttackClusters, KeyUse, Runaway
from mainspring.monitoring.attacks.service import Attacks

__all__ = ["AttackCluster", "AttackClusters", "Attacks", "KeyUse", "Runaway"]
