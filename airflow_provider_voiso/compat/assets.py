"""Assets and their events: datasets before Airflow 3, partition keys of one's own from 3.3 on."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import Asset, AssetAlias


def is_alias(outlet: Any) -> bool:
    """Tell whether an outlet is an alias, whose events a task adds at run time."""
    return isinstance(outlet, AssetAlias)


def is_asset(outlet: Any) -> bool:
    """Tell whether an outlet is an asset, or a reference to one by its name or URI."""
    return isinstance(outlet, Asset) or type(outlet).__name__ in {"AssetNameRef", "AssetUriRef"}


def asset_at(uri: str) -> Asset:
    """Return the asset of a URI."""
    return Asset(uri=uri)


def set_partition(event: Any, key: str) -> None:
    """Give an asset's event a partition key, where Airflow takes one from a task.

    :param event: what ``outlet_events`` holds for an asset, not for an alias
    """
    if hasattr(event, "add_partitions"):
        event.add_partitions(key)
