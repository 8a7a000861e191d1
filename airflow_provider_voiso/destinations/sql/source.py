"""The records of a load, as blocks of columns."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

from airflow_provider_voiso.destinations.columns import columns, in_blocks
from airflow_provider_voiso.destinations.sql.overflow import Overflow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow_provider_voiso.destinations.columns import Column, Page
    from airflow_provider_voiso.destinations.sql.dialect import Block


class Source:
    """The records of a load, and the error that ended reading them.

    :param pages: records as JSON; can be iterated any number of times
    """

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages = pages
        self.read = 0
        self.error: BaseException | None = None

    def blocks(
        self, missing: Sequence[Column], wanted: Iterable[bool] = repeat(True)
    ) -> Iterator[Block]:
        """Yield the values of the records, without the columns that the table lacks.

        ``read`` counts the records read so far.

        :param missing: columns whose values go to ``extra``
        :param wanted: which of the blocks to yield
        """
        overflow = Overflow(missing) if missing else None
        is_wanted = iter(wanted)
        self.read = 0
        try:
            for page in self._pages:
                self.read += len(page)
                for part in in_blocks(page):
                    if not next(is_wanted):
                        continue
                    block = columns(part)
                    yield overflow.moved(part, block) if overflow else block
        except BaseException as error:
            self.error = error
            raise
