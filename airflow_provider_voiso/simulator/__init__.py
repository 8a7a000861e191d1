"""A local Voiso for demos and tests: the documented CDR API, deterministic from a seed, standard library only.

Run it with ``python -m airflow_provider_voiso.simulator``, or in a test with ``with Simulator(seed=7) as voiso:``.
"""

from __future__ import annotations

from .drift import Drift
from .faults import Fault, Faults
from .readings import Readings
from .service import Request
from .simulator import Simulator

__all__ = ["Drift", "Fault", "Faults", "Readings", "Request", "Simulator"]
