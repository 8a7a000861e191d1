"""The floors: answers read from a bare socket, and ready-made data loaded to the destination."""

from __future__ import annotations

import pickle
import socket
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.measure import Task

    Export = Callable[[], dict[str, Any]]


def download(task: Task) -> Iterator[bytes]:
    """Yield what stands between the brackets of ``records`` in each answer."""
    url = urlsplit(task.url)
    with (
        socket.create_connection((str(url.hostname), url.port or 80)) as connection,
        connection.makefile("rb") as answers,
    ):
        token = ""
        while token != "null":  # noqa: S105 - JSON's null
            params = {**task.params, "per_page": task.per_page, "page": 1}
            if token:
                params["search_token"] = token.strip('"')
            connection.sendall(
                f"GET /api/v2/cdr?{urlencode(params)} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
            )
            length = 0
            while (line := answers.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line[15:])
            body = answers.read(length)
            end = body.rindex(b'],"total"')
            token = body[end:].split(b'"search_token": ')[1].rstrip(b"}").decode()
            yield body[len(b'{"records":[') : end]


def s3(task: Task) -> Export:
    """Split into lines and compress at level 1, into memory."""

    def export() -> dict[str, Any]:
        compressor = zlib.compressobj(1, wbits=31)
        parts, records = [], 0
        for body in download(task):
            lines = body.split(b"},{") if body else []
            records += len(lines)
            parts.append(compressor.compress(b"}\n{".join(lines) + b"\n"))
        parts.append(compressor.flush())
        return {"records": records, "bytes": sum(map(len, parts))}

    return export


def parquet(task: Task) -> Export:
    """Let pyarrow read the records as they are and write them, into memory."""
    import pyarrow as pa  # noqa: PLC0415 - other floors do without
    import pyarrow.json  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    text = (
        "agent from disposition duration queue to uuid wrapup_code type sid text related_call "
        "destination_name"
    )
    sla = pa.struct(
        [(f"time_to_{name}", pa.string()) for name in ("first_response", "resolution", "reply")]
    )
    schema = pa.schema(
        [
            *((name, pa.string()) for name in text.split()),
            ("timestamp", pa.timestamp("ms", tz="UTC")),
            ("agent_id", pa.int64()),
            ("num_segments", pa.int64()),
            ("cpc", pa.decimal128(12, 4)),
            ("sla", sla),
        ]
    )
    options = pa.json.ParseOptions(explicit_schema=schema)

    def export() -> dict[str, Any]:
        sink, records = pa.BufferOutputStream(), 0
        with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
            for body in filter(None, download(task)):
                lines = pa.py_buffer(b"}\n{".join(body.split(b"},{")))
                table = pa.json.read_json(pa.BufferReader(lines), parse_options=options)
                writer.write_table(table.select(schema.names))
                records += len(table)
        return {"records": records, "bytes": sink.getvalue().size}

    return export


def postgres(task: Task) -> Export:
    """COPY of ready-made text."""
    import psycopg  # noqa: PLC0415 - one driver for each database

    ready = Path(task.ready).read_bytes()

    def export() -> dict[str, Any]:
        for _ in download(task):
            pass
        with psycopg.connect(task.address["uri"]) as connection, connection.cursor() as cursor:
            with cursor.copy(f'COPY "{task.table}" FROM STDIN') as copy:
                copy.write(ready)
            return {"records": cursor.rowcount}

    return export


def mariadb(task: Task) -> Export:
    """LOAD DATA of ready-made text."""
    import MySQLdb  # noqa: PLC0415 - one driver for each database

    def export() -> dict[str, Any]:
        for _ in download(task):
            pass
        with closing(
            MySQLdb.connect(**task.address, charset="utf8mb4", local_infile=1)
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(
                f"LOAD DATA LOCAL INFILE '{task.ready}' INTO TABLE `{task.table}` CHARACTER SET "
                "utf8mb4"
            )
            connection.commit()
            return {"records": cursor.rowcount}

    return export


def sqlite(task: Task) -> Export:
    """Executemany of ready-made tuples."""
    ready = pickle.loads(Path(task.ready).read_bytes())  # noqa: S301 - written by this benchmark

    def export() -> dict[str, Any]:
        for _ in download(task):
            pass
        marks = ", ".join("?" * len(ready[0]))
        with closing(sqlite3.connect(task.address["path"])) as connection, connection:
            cursor = connection.executemany(f'INSERT INTO "{task.table}" VALUES ({marks})', ready)
            return {"records": cursor.rowcount}

    return export
