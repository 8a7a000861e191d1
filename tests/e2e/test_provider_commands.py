"""The provider and its connections, by Airflow's own commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.world import KEY, WRONG_KEY, needs_installation, on_airflow_3
from tests.secret_search import Secret
from tests.servers.process import PartError

if TYPE_CHECKING:
    from tests.e2e.world import World

pytestmark = [*on_airflow_3, needs_installation]


def test_airflow_knows_the_provider(world: World) -> None:
    printed = world.airflow.airflow("providers", "get", "airflow-provider-voiso", "--full")
    assert "Voiso" in printed


def test_working_connection_is_told(world: World) -> None:
    printed = world.airflow.airflow("connections", "test", "voiso_default")
    assert "Connection success!" in printed
    Secret(KEY).assert_absent(printed)


def test_wrong_key_is_told(world: World) -> None:
    command = "airflow connections test voiso_wrong_key failed with exit code 1"
    with pytest.raises(PartError, match=command) as refused:
        world.airflow.airflow("connections", "test", "voiso_wrong_key")
    printed = str(refused.value)
    assert "does not know the API key (status 401). Check the connection's password" in " ".join(
        printed.split()
    )
    Secret(WRONG_KEY).assert_absent(printed)
