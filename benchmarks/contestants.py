"""Who is measured against whom."""

from __future__ import annotations

from typing import Any, NamedTuple


class Contestant(NamedTuple):
    """One way to export a day.

    :param name: as the table shows it
    :param call: ``module:function``
    :param options: further fields of its task
    :param extra: of Airflow's connection to the database
    """

    name: str
    call: str
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed
    extra: dict[str, Any] = {}  # noqa: RUF012 - never changed

    @property
    def slug(self) -> str:
        """A name for its table or its objects."""
        return self.call.replace(":", "_")


class Group(NamedTuple):
    """Contestants for one destination; this package is the first.

    :param title: as the table shows it
    :param destination: key of :data:`benchmarks.destinations.DESTINATIONS`
    :param contestants: in the order in which they run
    """

    title: str
    destination: str
    contestants: tuple[Contestant, ...]


PACKAGE = "this package"

GROUPS = {
    "s3-ndjson": Group(
        "S3, NDJSON, gzip",
        "s3",
        (
            Contestant(PACKAGE, "ours:s3"),
            Contestant("floor: socket, split, zlib level 1, no upload", "floors:s3"),
            Contestant("requests, json, gzip, S3Hook", "peers:hand_written_s3"),
            Contestant("HttpOperator with paging, S3Hook", "peers:http_operator"),
            Contestant("dlt rest_api to jsonl", "dlt_peers:jsonl"),
        ),
    ),
    "s3-csv": Group(
        "S3, CSV, gzip",
        "s3",
        (
            Contestant(PACKAGE, "ours:s3", {"file_format": "csv"}),
            Contestant("floor: that of NDJSON", "floors:s3"),
        ),
    ),
    "s3-parquet": Group(
        "S3, Parquet",
        "s3",
        (
            Contestant(PACKAGE, "ours:s3", {"file_format": "parquet"}),
            Contestant("floor: socket, pyarrow, no upload", "floors:parquet"),
            Contestant("dlt Arrow tables to Parquet", "dlt_peers:arrow"),
            Contestant("dlt rest_api to Parquet", "dlt_peers:parquet"),
        ),
    ),
    "postgres": Group(
        "PostgreSQL",
        "postgres",
        (
            Contestant(PACKAGE, "ours:sql"),
            Contestant("floor: socket, COPY of ready-made text", "floors:postgres"),
            Contestant("requests, json, insert_rows", "peers:insert_rows"),
            Contestant("dlt rest_api, merge", "dlt_peers:merge"),
        ),
    ),
    "mariadb": Group(
        "MariaDB",
        "mariadb",
        (
            Contestant(PACKAGE, "ours:sql"),
            Contestant(
                f"{PACKAGE}, `local_infile` in the extra", "ours:sql", extra={"local_infile": True}
            ),
            Contestant("floor: socket, LOAD DATA of ready-made text", "floors:mariadb"),
            Contestant("requests, json, insert_rows", "peers:insert_rows"),
        ),
    ),
    "sqlite": Group(
        "SQLite",
        "sqlite",
        (
            Contestant(PACKAGE, "ours:sql"),
            Contestant("floor: socket, executemany of ready-made tuples", "floors:sqlite"),
            Contestant("requests, json, insert_rows", "peers:insert_rows"),
        ),
    ),
}

MEMORY = {
    "memory-s3-ndjson": Group("S3, NDJSON, gzip", "s3", (Contestant(PACKAGE, "ours:s3"),)),
    "memory-s3-none": Group(
        "S3, NDJSON, not compressed", "s3", (Contestant(PACKAGE, "ours:s3", {"compression": None}),)
    ),
    "memory-s3-csv": Group(
        "S3, CSV, gzip", "s3", (Contestant(PACKAGE, "ours:s3", {"file_format": "csv"}),)
    ),
    "memory-s3-parquet": Group(
        "S3, Parquet", "s3", (Contestant(PACKAGE, "ours:s3", {"file_format": "parquet"}),)
    ),
    "memory-postgres": Group("PostgreSQL", "postgres", (Contestant(PACKAGE, "ours:sql"),)),
    "memory-mariadb": Group("MariaDB", "mariadb", (Contestant(PACKAGE, "ours:sql"),)),
    "memory-sqlite": Group("SQLite", "sqlite", (Contestant(PACKAGE, "ours:sql"),)),
    "memory-duckdb": Group("DuckDB", "duckdb", (Contestant(PACKAGE, "ours:sql"),)),
}
LATENCY = {
    "defaults": {},
    "`max_connections` 4": {"max_connections": 4},
}
ODD = {
    "odd-csv": Group(
        "S3, CSV, gzip", "s3", (Contestant(PACKAGE, "ours:s3", {"file_format": "csv"}),)
    ),
    "odd-parquet": Group(
        "S3, Parquet", "s3", (Contestant(PACKAGE, "ours:s3", {"file_format": "parquet"}),)
    ),
    "odd-postgres": Group("PostgreSQL", "postgres", (Contestant(PACKAGE, "ours:sql"),)),
}
RELOAD = {
    "reload-postgres": Group("PostgreSQL", "postgres", (Contestant(PACKAGE, "ours:sql_write"),)),
    "reload-mariadb": Group(
        "MariaDB, `local_infile` in the extra",
        "mariadb",
        (Contestant(PACKAGE, "ours:sql_write", extra={"local_infile": True}),),
    ),
    "reload-sqlite": Group("SQLite", "sqlite", (Contestant(PACKAGE, "ours:sql_write"),)),
    "reload-duckdb": Group("DuckDB", "duckdb", (Contestant(PACKAGE, "ours:sql_write"),)),
}
"""Databases into which the same day is loaded twice, its records read beforehand."""
