"""Tuning: supervised fine-tuning, export and the parity check between trainer and server (stage 4).

torch and its company are imported only inside the worker's jobs.
"""

from mainspring.tuning.models import ParityReport, SftConfig
from mainspring.tuning.service import Runs, Tunes

__all__ = ["ParityReport", "Runs", "SftConfig", "Tunes"]
