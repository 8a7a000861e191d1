"""Real destinations: how a contestant reaches each, how it is emptied, and its content."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import re
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from benchmarks.measure import SkipError
from tests.servers.mariadb import Mariadb, missing
from tests.servers.postgres import Postgres
from tests.servers.process import LOOPBACK
from tests.servers.s3 import SeaweedS3

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack
    from pathlib import Path

_UUID = re.compile(rb'"uuid": ?"([^"]+)"')


class Destination(Protocol):
    """A target of exports; every contestant has a place of its own there, named by a slug."""

    def options(self, slug: str) -> dict[str, Any]:
        """Return the fields of a task."""
        ...

    def env(self, extra: Mapping[str, Any]) -> Mapping[str, str]:
        """Return Airflow's connections, with what a contestant wants in their extra."""
        ...

    def empty(self, slug: str) -> None:
        """Remove what an earlier run left, and create what a contestant expects to find."""
        ...

    def uuids(self, slug: str) -> set[str]:
        """Return the uuids that are there, read by other means than the contestants'."""
        ...


class S3:
    """A bucket of SeaweedFS."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self._server = stack.enter_context(SeaweedS3(home / "s3", logs=home / "logs"))
        self._client = self._server.client()

    def options(self, slug: str) -> dict[str, Any]:
        """Return the place of the objects, and credentials for those who know no connections."""
        server = self._server
        address = {
            "aws_access_key_id": server.key,
            "aws_secret_access_key": server.secret,
            "endpoint_url": server.endpoint_url,
            "region_name": server.region,
        }
        return {"bucket": server.bucket, "prefix": slug, "address": address}

    def env(self, extra: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002 - the same for all
        """Return the connection of Airflow's Amazon provider."""
        return {"AIRFLOW_CONN_AWS_DEFAULT": self._server.connection()}

    def empty(self, slug: str) -> None:
        """Delete the objects."""
        for key in self._server.objects(f"{slug}/"):
            self._client.delete_object(Bucket=self._server.bucket, Key=key)

    def uuids(self, slug: str) -> set[str]:
        """Read the objects, leaving out dlt's own beside them."""
        found: set[str] = set()
        for key, content in self._server.objects(f"{slug}/").items():
            if not key.split("/")[1].startswith("_dlt") and "/init" not in key:
                found |= _uuids_of(key, content)
        return found


def _uuids_of(key: str, data: bytes) -> set[str]:
    if key.endswith(".parquet"):
        import pyarrow.parquet as pq  # noqa: PLC0415 - only where it was written

        return set(pq.read_table(io.BytesIO(data), columns=["uuid"])["uuid"].to_pylist())
    data = gzip.decompress(data) if key.endswith(".gz") else data
    if ".csv" in key:
        return {line.split(b",", 1)[0].strip(b'"').decode() for line in data.splitlines()[1:]}
    return {uuid.decode() for uuid in _UUID.findall(data)}


class Database:
    """A database with a template table that this package has filled.

    Other tables are made like it, and floors load its rows. Contestants have one table each, named
    by their slug; floors and hand-written exports find it empty.

    :param home: for files
    """

    template = "calls"
    module = ""
    aging: ClassVar[tuple[str, ...]]
    """Statements that take a day from the time of all rows, and give each another uuid."""

    def __init__(self, home: Path) -> None:
        if self.module and find_spec(self.module) is None:
            raise SkipError(f"the Python package {self.module} is not installed")
        self.home = home
        self.ready = home / f"ready-{type(self).__name__.lower()}"

    def connection(self) -> dict[str, Any]:
        """Return Airflow's connection."""
        raise NotImplementedError

    def address(self) -> dict[str, Any]:
        """Return what the driver needs to connect."""
        raise NotImplementedError

    def connect(self) -> Any:
        """Open a connection of the driver."""
        raise NotImplementedError

    def make_like(self, table: str) -> list[str]:
        """Return the statements that make a table like the template."""
        raise NotImplementedError

    def keep_ready(self) -> None:
        """Put the rows of the template where a floor finds them."""
        raise NotImplementedError

    def options(self, slug: str) -> dict[str, Any]:
        """Return the table, and the address for those who know no connections."""
        return {"table": slug, "address": self.address(), "ready": str(self.ready)}

    def env(self, extra: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the connection."""
        return {"AIRFLOW_CONN_WAREHOUSE": json.dumps({**self.connection(), "extra": extra})}

    def empty(self, slug: str) -> None:
        """Drop the table, and make it anew for contestants that do not make it themselves."""
        self.execute(
            f"DROP TABLE IF EXISTS {slug}",
            *(self.make_like(slug) if slug.startswith(("floors", "peers")) else ()),
        )

    def age(self, slug: str) -> None:
        """Let the rows of a table be those of the day before."""
        self.execute(*(statement.format(table=slug) for statement in self.aging))

    def uuids(self, slug: str) -> set[str]:
        """Read the table."""
        with closing(self.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(f"SELECT uuid FROM {slug}")
            return {uuid for (uuid,) in cursor.fetchall()}

    def execute(self, *statements: str) -> None:
        """Run statements, each committed."""
        with closing(self.connect()) as connection:
            for statement in statements:
                connection.cursor().execute(statement)
                connection.commit()


class SqliteFile(Database):
    """A database file."""

    aging = ("UPDATE {table} SET uuid = 'x' || uuid, ended_at = replace(ended_at, '-31', '-30')",)

    def connection(self) -> dict[str, Any]:
        """Return Airflow's connection."""
        return {"conn_type": "sqlite", "host": self.address()["path"]}

    def address(self) -> dict[str, Any]:
        """Return the path."""
        return {"path": str(self.home / "warehouse.sqlite")}

    def connect(self) -> Any:
        """Open the file."""
        return sqlite3.connect(self.address()["path"])

    def make_like(self, table: str) -> list[str]:
        """Return the template's own statements with the other name."""
        with closing(self.connect()) as connection:
            found = connection.execute(
                "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql > ''", [self.template]
            )
            return [sql.replace(self.template, table) for (sql,) in found]

    def keep_ready(self) -> None:
        """Keep tuples."""
        with closing(self.connect()) as connection:
            rows = connection.execute(f"SELECT * FROM {self.template}").fetchall()
        self.ready.write_bytes(pickle.dumps(rows))

    def empty(self, slug: str) -> None:
        """Also give the space back, so that the file does not grow from run to run."""
        super().empty(slug)
        self.execute("VACUUM")


class PostgresServer(Database):
    """An embedded PostgreSQL."""

    module = "psycopg"
    aging = (
        "UPDATE {table} SET uuid = 'x' || uuid, ended_at = ended_at - interval '1 day'",
        "VACUUM ANALYZE {table}",
        "CHECKPOINT",
    )

    def __init__(self, home: Path, stack: ExitStack) -> None:
        super().__init__(home)
        self._server = stack.enter_context(Postgres(home / "logs", durable=True))

    def connection(self) -> dict[str, Any]:
        """Return Airflow's connection."""
        return dict(json.loads(self._server.connection()))

    def address(self) -> dict[str, Any]:
        """Return libpq's address, and one with the host and the password that dlt demands."""
        dlt = f"postgresql://postgres:none@localhost/postgres?host={self._server.socket_folder}"
        return {"uri": self._server.uri, "dlt": dlt}

    def connect(self) -> Any:
        """Open a connection."""
        import psycopg  # noqa: PLC0415 - only where it is installed

        return psycopg.connect(self._server.uri, autocommit=True)

    def make_like(self, table: str) -> list[str]:
        """Return one statement."""
        return [f"CREATE TABLE {table} (LIKE {self.template} INCLUDING ALL)"]

    def keep_ready(self) -> None:
        """Keep the text of COPY."""
        with (
            closing(self.connect()) as connection,
            connection.cursor().copy(f"COPY {self.template} TO STDOUT") as copy,
        ):
            self.ready.write_bytes(b"".join(bytes(part) for part in copy))

    def empty(self, slug: str) -> None:
        """Also drop dlt's schemas, and write out what is left to write."""
        self.execute(
            f"DROP SCHEMA IF EXISTS {slug} CASCADE", f"DROP SCHEMA IF EXISTS {slug}_staging CASCADE"
        )
        super().empty(slug)
        self.execute("CHECKPOINT")

    def uuids(self, slug: str) -> set[str]:
        """Read the table, or dlt's in a schema of its own."""
        return super().uuids(f"{slug}.cdr" if "dlt" in slug else slug)


class MariaDbServer(Database):
    """Debian's MariaDB in a directory of its own."""

    module = "MySQLdb"
    aging = (
        "UPDATE {table} SET uuid = concat('x', uuid), ended_at = ended_at - INTERVAL 1 DAY",
        "ANALYZE TABLE {table}",
    )

    def __init__(self, home: Path, stack: ExitStack) -> None:
        super().__init__(home)
        if reason := missing():
            raise SkipError(reason)
        self._server = stack.enter_context(Mariadb(durable=True))
        self._server.create_database("calls")
        self.ready = self._server.temporary / "ready"

    def connection(self) -> dict[str, Any]:
        """Return Airflow's connection, by the client that is built from source."""
        return {**json.loads(self._server.connection("calls")), "extra": {}}

    def address(self) -> dict[str, Any]:
        """Return the arguments of ``MySQLdb.connect``."""
        return {"host": LOOPBACK, "port": self._server.port, "user": "root", "database": "calls"}

    def connect(self) -> Any:
        """Open a connection."""
        import MySQLdb  # noqa: PLC0415 - only where it is installed

        return MySQLdb.connect(**self.address(), charset="utf8mb4")

    def make_like(self, table: str) -> list[str]:
        """Return one statement."""
        return [f"CREATE TABLE {table} LIKE {self.template}"]

    def keep_ready(self) -> None:
        """Keep the text of LOAD DATA."""
        self.ready.unlink(missing_ok=True)
        self.execute(
            f"SELECT * INTO OUTFILE '{self.ready}' CHARACTER SET utf8mb4 FROM {self.template}"
        )


class DuckDbFile(Database):
    """A DuckDB file; only its memory is measured."""

    module = "duckdb_provider"
    aging = (
        "UPDATE {table} SET uuid = 'x' || uuid, ended_at = ended_at - INTERVAL 1 DAY",
        "CHECKPOINT",
    )

    def connection(self) -> dict[str, Any]:
        """Return Airflow's connection."""
        return {"conn_type": "duckdb", "host": str(self.home / "warehouse.duckdb")}

    def address(self) -> dict[str, Any]:
        """Return nothing: nobody needs it."""
        return {}

    def connect(self) -> Any:
        """Open the file."""
        import duckdb  # noqa: PLC0415 - only where it is installed

        return duckdb.connect(self.connection()["host"])

    def empty(self, slug: str) -> None:  # noqa: ARG002 - there is one table
        """Remove the file."""
        (self.home / "warehouse.duckdb").unlink(missing_ok=True)


DESTINATIONS: Mapping[str, Callable[[Path, ExitStack], Destination]] = {
    "s3": S3,
    "postgres": PostgresServer,
    "mariadb": MariaDbServer,
    "sqlite": lambda home, _: SqliteFile(home),
    "duckdb": lambda home, _: DuckDbFile(home),
}
