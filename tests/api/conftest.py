from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.self_signed import self_signed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("certificate"))
