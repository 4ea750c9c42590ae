"""Serving: the gateway, engines, deployments, routing and guards (stage 6).

The hot path writes a trace before the last byte leaves.
"""

from mainspring.serving.chat import EngineChat
from mainspring.serving.deployments import Deployment
from mainspring.serving.engine_service import Engines
from mainspring.serving.gateway import Gateway
from mainspring.serving.service import Deployments

__all__ = ["Deployment", "Deployments", "EngineChat", "Engines", "Gateway"]
