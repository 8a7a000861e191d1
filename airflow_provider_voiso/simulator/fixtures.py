"""A pytest fixture for tests of your own DAGs; this module alone needs pytest.

In the ``conftest.py`` beside ``pytest.ini`` or ``pyproject.toml``:

.. code-block:: python

    pytest_plugins = ["airflow_provider_voiso.simulator.fixtures"]
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def voiso_simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """Run a local Voiso for one test, and let the connection ``voiso_default`` lead to it.

    .. code-block:: python

        def test_all_records_are_exported(voiso_simulator):
            ...  # run the task
            assert exported_uuids == voiso_simulator.truth(start, end).keys()

    It listens on a free port of 127.0.0.1 until the test is over. Every test gets one of its own
    with the same records and no faults. A test that needs another seed or other readings of the API
    starts a :class:`~airflow_provider_voiso.simulator.Simulator` itself.

    :return: the simulator, with ``url``, ``key``, ``truth(start, end)``, ``faults`` and
        ``requests``
    """
    with Simulator() as simulator:
        connection = {
            "conn_type": "voiso",
            "host": simulator.url,
            "password": simulator.key,
        }
        monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps(connection))
        yield simulator
