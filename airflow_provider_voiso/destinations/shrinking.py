"""A gate against exports that would lose records, as when the rights of the API key were cut."""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.exceptions import VoisoConfigurationError, VoisoShrunkError

if TYPE_CHECKING:
    from airflow_provider_voiso.api.window import Window

log = logging.getLogger(__name__)


def check_share(share: Any) -> None:
    """Refuse a value of ``fail_if_fewer_than`` that is no share.

    :param share: a number above 0, at most 1; None turns the gate off
    :raises VoisoConfigurationError: if it is neither
    """
    if share is None:
        return
    if not isinstance(share, (int, float)) or isinstance(share, bool):
        raise VoisoConfigurationError(
            f"fail_if_fewer_than must be a number, not {type(share).__name__}."
        )
    if not 0 < share <= 1:
        raise VoisoConfigurationError(
            "fail_if_fewer_than must be above 0 and at most 1: 0.9 refuses to replace 100 records "
            "by fewer than 90."
        )


def check_not_shrunk(
    before: int | None, now: int, share: float | None, address: str, window: Window
) -> None:
    """Refuse to replace a window by far fewer records; warn if there are fewer at all.

    Call it before anything is touched that cannot be rolled back.

    :param before: records of the window that the destination holds, None if that is not known
    :param now: records that it would hold
    :param share: share of ``before`` that ``now`` must reach; None refuses nothing
    :param address: the destination as a person would write it
    :param window: the window
    :raises VoisoShrunkError: if there are fewer than that share
    """
    if before is None or now >= before:
        return
    # A Fraction of the number as it was written: 0.07 * 100 is more than 7.
    if share is not None and now < before * Fraction(str(share)):
        raise VoisoShrunkError(
            f"{address} holds {before} records of {window} and would hold {now}, fewer than "
            f"fail_if_fewer_than={share} allows. Nothing was touched. Look whether the API key "
            "still may read all records, and whether the filters changed; if the loss is right, "
            "clear the task with a smaller fail_if_fewer_than, or None."
        )
    log.warning(
        "%s held %d records of %s and is to hold %d: %d fewer.",
        address,
        before,
        window,
        now,
        before - now,
    )


def check_not_emptied(
    name: str, before: int | None, now: int, address: str, *, allow_empty: bool
) -> None:
    """Refuse to replace a filled reference list by an empty one.

    :param name: name of the list
    :param before: items that the destination holds, None if it holds something, but not known what
    :param now: items that it would hold
    :param address: the destination as a person would write it
    :param allow_empty: refuse nothing
    :raises VoisoShrunkError: if the list is empty and the destination is not
    """
    if now or before == 0 or allow_empty:
        return
    held = "the earlier list" if before is None else f"{before} items"
    raise VoisoShrunkError(
        f"The API returned no {name}, and {address} holds {held}. Nothing was touched. Look "
        "whether the API key still may see the list; if it is right to be empty, clear the task "
        "with allow_empty=True."
    )
