"""The sensors' fixtures: a trigger meets the same simulators."""

from tests.sensors.conftest import simulate

__all__ = ["simulate"]
