"""SIGTERM to a task: Airflow 2 raises an error in it, Airflow 3 only calls ``on_kill``."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EXIT_CODE = 128 + signal.SIGTERM
"""The exit code of a process that ended on SIGTERM."""


class Termination:
    """Raises SystemExit in a task on SIGTERM, so that the task rolls back and ends at once.

    Airflow 3 kills a task that still runs some seconds after ``on_kill``. Outside of the guarded
    part the task may be exchanging a message with its supervisor, where an exception can block it.
    """

    def __init__(self) -> None:
        self._is_guarded = self._is_requested = False

    def request(self) -> None:
        """End the task: now if it is in the guarded part, else when it enters that part.

        :raises SystemExit: in the guarded part
        """
        self._is_requested = True
        if self._is_guarded:
            raise SystemExit(EXIT_CODE)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Let SIGTERM end what runs in this context.

        :raises SystemExit: if the end was requested, before or meanwhile
        """
        try:
            self._is_guarded = True
            if self._is_requested:
                self.request()
            yield
        except Exception:
            # DuckDB and sqlite3 may raise an error of their own in the place of SystemExit.
            if self._is_requested:
                raise SystemExit(EXIT_CODE) from None
            raise
        finally:
            self._is_guarded = self._is_requested = False
