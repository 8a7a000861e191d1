"""Settings that must be in place before Airflow is imported anywhere."""

from __future__ import annotations

import os
import tempfile

from hypothesis import HealthCheck, settings

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="voiso-tests-"))
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

# Speed is not tested: a busy machine must not fail a test. CI draws the same examples for the same code.
settings.register_profile(
    "voiso", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("voiso")

WORLDS = int(os.environ.get("WORLDS", "300"))
"""How many APIs the proofs draw; ``make prove`` draws thousands."""

ALL_FAULTS = "ALL_FAULTS" in os.environ
"""Whether every fault is tried at every position; ``make faults`` does."""
