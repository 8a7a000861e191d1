"""A local Voiso for demos and for tests of DAGs: the documented CDR API, on real sockets.

All records derive from a seed, and nothing but the standard library is needed. The names below are
its public face; its modules are private.

.. code-block:: python

    from airflow_provider_voiso.simulator import Drift, Readings, Simulator

    with Simulator(seed=7, readings=Readings(clock="Europe/Berlin")) as voiso:
        connection = {"conn_type": "voiso", "host": voiso.url, "password": voiso.key}
        monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps(connection))
        ...  # run the task
        assert exported_uuids == voiso.truth(start, end).keys()

:class:`Readings` decides how the open points of the vendor's page are read, :class:`Drift` which
records change between two looks, ``voiso.faults.add(...)`` what goes wrong (:class:`Fault`).
``python -m airflow_provider_voiso.simulator --help`` lists the same switches for a process.

The simulator imports nothing else of this package, and reads the vendor's page for itself. A
mistake in code that both sides shared would agree with itself, and no test would see it.
"""

from __future__ import annotations

from .drift import Drift
from .faults import Fault, Faults
from .readings import Readings
from .service import Request
from .simulator import Simulator

__all__ = ["Drift", "Fault", "Faults", "Readings", "Request", "Simulator"]
