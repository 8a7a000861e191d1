"""Users whose rights Airflow's own simple roles do not have."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

REFUSED = {"no_assets": "is_authorized_asset", "no_dags": "is_authorized_dag"}


class AuthManager(SimpleAuthManager):
    """The simple auth manager, without assets for one user and without DAGs for another."""

    def is_authorized_asset(self, *, user: Any, **details: Any) -> bool:
        if user.username == "no_assets":
            return False
        return super().is_authorized_asset(user=user, **details)

    def is_authorized_dag(self, *, user: Any, **details: Any) -> bool:
        if user.username == "no_dags":
            return False
        return super().is_authorized_dag(user=user, **details)
