"""The destinations of the fault matrix: real servers, exports to them and readers of them."""

from __future__ import annotations

import gzip
import json
from abc import ABC, abstractmethod
from contextlib import closing
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from tests.servers.s3 import SeaweedS3

    Records = Mapping[str, bytes]

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
END = START + timedelta(days=1)
CONTEXT = {"data_interval_start": START, "data_interval_end": END}
"""The window of every export."""


def ended_at(record: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(record["timestamp"].replace("Z", "+00:00")).astimezone(
        timezone.utc
    )


class Destination(ABC):
    """One destination; what it holds is compared as a whole.

    :param connections: the Airflow connections it needs, by the name of their variable
    """

    name: ClassVar[str]

    def __init__(self, connections: Mapping[str, str]) -> None:
        self.connections = connections

    def connect(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable, value in self.connections.items():
            monkeypatch.setenv(variable, value)

    @abstractmethod
    def export(self, **options: Any) -> dict[str, Any]:
        """Export the window as a task does."""

    @abstractmethod
    def content(self) -> object:
        """Return all that a reader finds, of any window, and all that a failed export may leave."""

    @abstractmethod
    def expected(self, records: Records) -> object:
        """Return the content once these records were exported."""


class S3(Destination):
    """One object in SeaweedFS, beside one of another day."""

    name = "s3"

    def __init__(self, server: SeaweedS3) -> None:
        super().__init__({"AIRFLOW_CONN_AWS_DEFAULT": server.connection()})
        self.server = server
        self.client = server.client()
        self.client.put_object(Bucket=server.bucket, Key="calls/neighbour", Body=b"kept")

    def export(self, **options: Any) -> dict[str, Any]:
        arguments = {"s3_bucket": self.server.bucket, "s3_key": "calls/day", **options}
        return VoisoCdrToS3Operator(task_id="export", **arguments).execute(CONTEXT)

    def content(self) -> object:
        content = self.server.objects()
        if "calls/day" in content:
            content["calls/day"] = gzip.decompress(content["calls/day"])
        return content, self.server.unfinished_uploads()

    def expected(self, records: Records) -> object:
        def place(item: tuple[str, bytes]) -> tuple[datetime, str]:
            return ended_at(json.loads(item[1])), item[0]

        day = b"".join(record + b"\n" for _, record in sorted(records.items(), key=place))
        return {"calls/day": day, "calls/neighbour": b"kept"}, []


class Sql(Destination):
    """One table, with a row of another day, by an Airflow connection."""

    mark = "%s"
    first: ClassVar[bytes]
    """What a client sends with the first statement of a load, where there is a server."""
    commit: ClassVar[bytes]
    """What it sends to commit."""

    def __init__(self, connection: Mapping[str, Any]) -> None:
        super().__init__({"AIRFLOW_CONN_CALLS": json.dumps(connection)})
        self._connection = connection

    def connect(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().connect(monkeypatch)
        self.hook: Any = BaseHook.get_connection("calls").get_hook()  # type: ignore[no-untyped-call]

    def export(self, **options: Any) -> dict[str, Any]:
        arguments = {"sql_conn_id": "calls", "table": "calls", **options}
        return VoisoCdrToSqlOperator(task_id="export", **arguments).execute(CONTEXT)

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with closing(self.hook.get_conn()) as connection:
            cursor = connection.cursor()
            cursor.execute(statement, *[parameters][: len(parameters)])  # without any, a % is a %
            found = cursor.fetchall() if cursor.description else []
            connection.commit()
        return [tuple(row) for row in found]

    @abstractmethod
    def tables(self) -> set[str]:
        """Return every table, the temporary ones of all sessions included."""

    def address(self) -> tuple[str, int] | str:
        """Return where the server listens."""
        raise NotImplementedError

    def through(self, port: int) -> dict[str, Any]:
        """Return a connection that leads through another port of this machine."""
        raise NotImplementedError

    def content(self) -> object:
        found = self.execute(
            "SELECT uuid, ended_at, from_party, to_party, wrapup_code, cpc FROM calls"
        )
        return {tuple(map(self.plain, row)) for row in found}, self.tables()

    def expected(self, records: Records) -> object:
        decoded = [json.loads(record) for record in records.values()]
        rows = {
            (
                each["uuid"],
                ended_at(each),
                each.get("from"),
                each.get("to"),
                each.get("wrapup_code"),
                each.get("cpc"),
            )
            for each in decoded
        }
        neighbour = ("neighbour", END, None, None, None, None)
        return {tuple(map(self.plain, row)) for row in (*rows, neighbour)}, {"calls"}

    @staticmethod
    def plain(value: Any) -> Any:
        """Return a value as all databases can be made to give it back."""
        if isinstance(value, datetime):
            return value.astimezone(timezone.utc).isoformat(timespec="microseconds")
        return float(value) if isinstance(value, Decimal) else value

    def add_neighbour(self) -> None:
        self.execute(
            "INSERT INTO calls (uuid, ended_at) VALUES ('neighbour', "
            "'2024-11-11T00:00:00.000000+00:00')"
        )


class Sqlite(Sql):
    name = "sqlite"
    mark = "?"

    def tables(self) -> set[str]:
        return {
            name for (name,) in self.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }


class Postgres(Sql):
    name = "postgres"
    first = b"BEGIN"
    commit = b"COMMIT\x00"

    def address(self) -> str:
        """Return where the server listens."""
        return f"{self._connection['host']}/.s.PGSQL.5432"

    def through(self, port: int) -> dict[str, Any]:
        """Return a connection that leads through another port of this machine."""
        plain = {"sslmode": "disable", "gssencmode": "disable"}
        return {**self._connection, "host": "127.0.0.1", "port": port, "extra": plain}

    def tables(self) -> set[str]:
        return {
            name
            for (name,) in self.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND oid >= 16384"
            )
        }


class Mariadb(Sql):
    name = "mariadb"
    first = b"sql_mode"
    commit = b"\x03COMMIT"

    def address(self) -> tuple[str, int]:
        """Return where the server listens."""
        return self._connection["host"], self._connection["port"]

    def through(self, port: int) -> dict[str, Any]:
        """Return a connection that leads through another port of this machine."""
        return {**self._connection, "port": port}

    def tables(self) -> set[str]:
        return {name for (name,) in self.execute("SHOW TABLES")}

    @staticmethod
    def plain(value: Any) -> Any:
        """Return a value as the others give it: DATETIME, which knows no zones, holds UTC."""
        if isinstance(value, datetime) and value.tzinfo is None:
            value = value.replace(tzinfo=timezone.utc)
        return Sql.plain(value)

    def add_neighbour(self) -> None:
        self.execute(
            "INSERT INTO calls (uuid, ended_at) VALUES ('neighbour', '2024-11-11 00:00:00.000000')"
        )
