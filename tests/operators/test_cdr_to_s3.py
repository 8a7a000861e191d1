from __future__ import annotations

import csv
import gzip
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pendulum
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_voiso.destinations.columns import COLUMNS, rows
from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoDestinationError,
    VoisoError,
    VoisoOutOfWindowError,
    VoisoResponseError,
    VoisoServerError,
    VoisoShrunkError,
)
from airflow_provider_voiso.hooks.voiso import VoisoHook
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.simulator import Drift, Readings, Simulator
from tests.servers.s3 import SeaweedS3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Simulate = Callable[..., Simulator]

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
DAY = timedelta(days=1)
DEFAULT_KEY = "voiso/cdr/dt=2024-11-10/cdr_20241110T000000+0000_20241111T000000+0000.ndjson.gz"
SMALL_PARTS = {"transfer_config": {"multipart_threshold": 5 << 20, "multipart_chunksize": 5 << 20}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    with SeaweedS3(tmp_path_factory.mktemp("s3") / "data") as running:
        yield running


@pytest.fixture
def s3(server: SeaweedS3, monkeypatch: pytest.MonkeyPatch) -> SeaweedS3:
    """Return the server, empty, as the connection ``aws_default``."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", server.connection())
    for name in keys(server):
        server.client().delete_object(Bucket=server.bucket, Key=name)
    return server


def keys(s3: SeaweedS3) -> set[str]:
    found = s3.client().list_objects_v2(Bucket=s3.bucket).get("Contents", [])
    return {item["Key"] for item in found}


def stored(s3: SeaweedS3, key: str) -> bytes:
    return s3.client().get_object(Bucket=s3.bucket, Key=key)["Body"].read()  # type: ignore[no-any-return]


def unfinished(s3: SeaweedS3) -> list[Any]:
    return s3.client().list_multipart_uploads(Bucket=s3.bucket).get("Uploads", [])  # type: ignore[no-any-return]


def in_order(records: Mapping[str, bytes]) -> list[bytes]:
    """Return the records in the order that an export promises: by timestamp, then uuid."""

    def place(item: tuple[str, bytes]) -> tuple[datetime, str]:
        return datetime.fromisoformat(
            json.loads(item[1])["timestamp"].replace("Z", "+00:00")
        ), item[0]

    return [record for _, record in sorted(records.items(), key=place)]


def export(context: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    return VoisoCdrToS3Operator(task_id="export", **{"s3_bucket": "voiso-cdr", **options}).execute(
        context
    )


def test_day_becomes_one_exact_object(
    s3: SeaweedS3, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate()
    manifest = export(context)
    truth = sim.truth(START, START + DAY)
    assert keys(s3) == {DEFAULT_KEY}
    content = stored(s3, DEFAULT_KEY)
    assert gzip.decompress(content) == b"".join(record + b"\n" for record in in_order(truth))
    assert set(manifest["clock"]) > set("+00:00")
    assert 0 < manifest.pop("probes") < manifest["requests"]
    assert manifest == {
        "clock": manifest["clock"],
        "window_start": "2024-11-10T00:00:00+00:00",
        "window_end": "2024-11-11T00:00:00+00:00",
        "records": len(truth),
        "duplicates": 0,
        "out_of_window": 0,
        "unfinished": manifest["unfinished"],
        "requests": len(sim.requests),
        "bytes": len(content),
        "uri": f"s3://voiso-cdr/{DEFAULT_KEY}",
        "changed": True,
    }
    assert json.loads(json.dumps(manifest)) == manifest
    head = s3.client().head_object(Bucket=s3.bucket, Key=DEFAULT_KEY)
    assert head["ContentType"] == "application/x-ndjson"
    assert head["Metadata"] == {
        "window-start": manifest["window_start"],
        "window-end": manifest["window_end"],
        "selection": VoisoHook().client.selection().digest,
        "account": "127.0.0.1",
        "records": str(len(truth)),
        "content": head["Metadata"]["content"],
    }


@pytest.mark.parametrize("order", ["newest_first", "oldest_first", "shuffled", "uuid"])
def test_order_does_not_change_the_object(
    order: Any, s3: SeaweedS3, simulate: Simulate, context: dict[str, Any]
) -> None:
    simulate()
    export(context)
    before = stored(s3, DEFAULT_KEY)
    simulate(readings=Readings(order=order, duplicates=0.05), extra={"per_page": 100})
    manifest = export(context)
    assert manifest["duplicates"] > 0
    assert stored(s3, DEFAULT_KEY) == before


@pytest.mark.parametrize("compression", ["gzip", "zstd", None])
def test_csv(
    s3: SeaweedS3, simulate: Simulate, context: dict[str, Any], compression: str | None
) -> None:
    sim = simulate()
    export(context, file_format="csv", compression=compression, s3_key="day.{extension}")
    end = {"gzip": "csv.gz", "zstd": "csv.zst", None: "csv"}[compression]
    content = stored(s3, f"day.{end}")
    if compression == "gzip":
        content = gzip.decompress(content)
    elif compression == "zstd":
        content = pa.input_stream(pa.BufferReader(content), compression="zstd").read()
    header, *lines = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    expected = rows(in_order(sim.truth(START, START + DAY)))
    assert header == [column.name for column in COLUMNS]
    assert [line[0] for line in lines] == [row[0] for row in expected]
    assert [line[2] for line in lines] == [
        row[2].isoformat(timespec="microseconds") for row in expected
    ]
    assert [line[8] for line in lines] == ["" if row[8] is None else row[8] for row in expected]


def test_parquet(s3: SeaweedS3, simulate: Simulate, context: dict[str, Any]) -> None:
    sim = simulate()
    export(context, file_format="parquet", s3_key="day.{extension}")
    table = pq.read_table(pa.BufferReader(stored(s3, "day.parquet")))
    expected = rows(in_order(sim.truth(START, START + DAY)))
    assert [tuple(row.values()) for row in table.to_pylist()] == expected
    head = s3.client().head_object(Bucket=s3.bucket, Key="day.parquet")
    assert head["ContentType"] == "application/vnd.apache.parquet"


def test_filters_limit_what_is_exported(
    s3: SeaweedS3, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate()
    filters = {"type": ["inbound"], "duration_from": 60}
    manifest = export(context, filters=filters)
    truth = sim.truth(START, START + DAY, filters)
    assert 0 < len(truth) < len(sim.truth(START, START + DAY))
    assert gzip.decompress(stored(s3, DEFAULT_KEY)).splitlines() == in_order(truth)
    assert manifest["records"] == len(truth)


@pytest.mark.parametrize(
    ("file_format", "content"),
    [
        ("ndjson", b""),
        ("csv", ",".join(column.name for column in COLUMNS).encode() + b"\r\n"),
        ("parquet", None),
    ],
)
def test_empty_window_gives_readable_object(
    file_format: str,
    content: bytes | None,
    s3: SeaweedS3,
    simulate: Simulate,
    context: dict[str, Any],
) -> None:
    simulate(records_per_day=0)
    manifest = export(context, file_format=file_format, s3_key="none")
    found = stored(s3, "none")
    assert manifest["records"] == 0
    assert manifest["bytes"] == len(found) > 0
    if content is None:
        assert pq.read_table(pa.BufferReader(found)).num_rows == 0
    else:
        assert gzip.decompress(found) == content


def test_repeated_export_replaces_the_object(
    s3: SeaweedS3, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate(drift=Drift(appear=0.3, change=0.3))
    export(context)
    before = stored(s3, DEFAULT_KEY)
    sim.drift_now()
    export(context)
    after = stored(s3, DEFAULT_KEY)
    assert keys(s3) == {DEFAULT_KEY}
    assert gzip.decompress(before).splitlines() == in_order(
        sim.truth(START, START + DAY, state="before")
    )
    assert gzip.decompress(after).splitlines() == in_order(
        sim.truth(START, START + DAY, state="after")
    )


def test_export_that_would_lose_records(
    s3: SeaweedS3, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate(drift=Drift(leave=0.8))
    first = export(context)
    before = stored(s3, DEFAULT_KEY)
    sim.drift_now()

    with pytest.raises(VoisoShrunkError, match=r"holds \d+ records of .* would hold \d+"):
        export(context, fail_if_fewer_than=0.5)
    assert stored(s3, DEFAULT_KEY) == before

    manifest = export(context)
    assert manifest["changed"] is True
    assert manifest["records_before"] == first["records"] > manifest["records"]
    assert export(context)["changed"] is False


@pytest.mark.parametrize("share", [0, 1.5, "0.9", True])
def test_shares_that_are_none(share: Any) -> None:
    with pytest.raises(VoisoConfigurationError, match="fail_if_fewer_than"):
        VoisoCdrToS3Operator(task_id="export", s3_bucket="voiso-cdr", fail_if_fewer_than=share)


def test_placeholders_use_the_dag_zone(s3: SeaweedS3, simulate: Simulate) -> None:
    sim = simulate()
    berlin = pendulum.timezone("Europe/Berlin")
    with DAG(
        "berlin", schedule="0 0 * * *", start_date=pendulum.datetime(2024, 1, 1, tz=berlin)
    ) as dag:
        operator = VoisoCdrToS3Operator(
            task_id="export",
            s3_bucket="voiso-cdr",
            s3_key="dt={window_start:%Y-%m-%d}/{window_start:%H%M%z}-{window_end:%d}.{extension}",
        )
    start = pendulum.datetime(2024, 11, 10, tz=berlin)
    end = start.add(days=1)
    truth = sim.truth(START - timedelta(hours=1), START + DAY - timedelta(hours=1))
    context = {
        "data_interval_start": start.in_tz("UTC"),
        "data_interval_end": end.in_tz("UTC"),
        "dag": dag,
    }
    manifest = operator.execute(context)
    assert keys(s3) == {"dt=2024-11-10/0000+0100-11.ndjson.gz"}
    assert manifest["window_start"] == "2024-11-09T23:00:00+00:00"
    assert manifest["records"] == len(truth) > 0


def test_arguments_are_templates(
    s3: SeaweedS3, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = simulate()
    monkeypatch.setenv("AIRFLOW_CONN_AWS_OTHER", s3.connection())
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT")
    operator = VoisoCdrToS3Operator(
        task_id="export",
        voiso_conn_id="voiso_{{ what }}",
        aws_conn_id="aws_{{ other }}",
        s3_bucket="voiso-{{ bucket }}",
        s3_key="{{ other }}/{window_start:%H}",
        filters={"type": ["{{ kind }}"]},
        window_start="{{ start }}",
        window_end="{{ end }}",
        upload_extra_args={"StorageClass": "{{ storage }}"},
    )
    context = {
        "what": "default",
        "other": "other",
        "bucket": "cdr",
        "kind": "inbound",
        "start": "2024-11-10T06:00:00+00:00",
        "end": "2024-11-10T12:00:00+00:00",
        "storage": "STANDARD_IA",
    }
    operator.render_template_fields(context)  # type: ignore[arg-type]
    manifest = operator.execute(context)
    truth = sim.truth(START + timedelta(hours=6), START + timedelta(hours=12), {"type": "inbound"})
    assert gzip.decompress(stored(s3, "other/06")).splitlines() == in_order(truth)
    assert manifest["uri"] == "s3://voiso-cdr/other/06"
    assert (
        s3.client().head_object(Bucket=s3.bucket, Key="other/06")["StorageClass"] == "STANDARD_IA"
    )


def test_large_window_uploads_in_parts(
    s3: SeaweedS3, simulate: Simulate, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(s3.connection())
    connection["extra"]["service_config"] = {"s3": SMALL_PARTS}
    connection["extra"].update(SMALL_PARTS)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    sim = simulate(records_per_day=30_000, exact=True)
    manifest = export(context, compression=None, s3_key="large")
    assert manifest["bytes"] > 8 << 20
    assert stored(s3, "large").splitlines() == in_order(sim.truth(START, START + DAY))
    etag = s3.client().head_object(Bucket=s3.bucket, Key="large")["ETag"].strip('"')
    assert int(etag.rpartition("-")[2]) >= 2
    assert unfinished(s3) == []


def test_encryption_is_asked_for(
    s3: SeaweedS3, simulate: Simulate, context: dict[str, Any]
) -> None:
    simulate()
    export(context, s3_key="secret", upload_extra_args={"ServerSideEncryption": "AES256"})
    assert (
        s3.client().head_object(Bucket=s3.bucket, Key="secret")["ServerSideEncryption"] == "AES256"
    )


def test_missing_bucket_is_typed_error(
    s3: SeaweedS3, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate()
    with pytest.raises(VoisoDestinationError, match="NoSuchBucket"):
        export(context, s3_bucket="no-such-bucket")
    assert sim.requests == ()
    assert unfinished(s3) == []
    assert {bucket["Name"] for bucket in s3.client().list_buckets()["Buckets"]} == {s3.bucket}


def test_wrong_credentials_are_a_typed_error(
    s3: SeaweedS3, simulate: Simulate, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = simulate()
    export(context)
    before = stored(s3, DEFAULT_KEY)
    requests = sim.requests
    connection = {**json.loads(s3.connection()), "password": "not-the-secret"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    with pytest.raises(VoisoDestinationError, match="SignatureDoesNotMatch"):
        export(context, file_format="ndjson", compression=None, s3_key=DEFAULT_KEY)
    assert sim.requests == requests
    assert stored(s3, DEFAULT_KEY) == before


def test_other_filters_are_not_written_over(
    s3: SeaweedS3, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate()
    export(context, filters={"type": "inbound"})
    before = stored(s3, DEFAULT_KEY)
    requests = sim.requests

    with pytest.raises(VoisoConfigurationError, match="replace_other=True"):
        export(context, filters={"type": "outbound"})

    assert sim.requests == requests
    assert stored(s3, DEFAULT_KEY) == before


def test_other_accounts_are_not_written_over(
    s3: SeaweedS3, simulate: Simulate, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate()
    export(context)
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", os.environ["AIRFLOW_CONN_VOISO_DEFAULT"])

    with pytest.raises(VoisoConfigurationError, match="replace_other=True"):
        export(context, voiso_conn_id="other")

    assert keys(s3) == {DEFAULT_KEY}


def test_latest_day_at_one_key(s3: SeaweedS3, simulate: Simulate, context: dict[str, Any]) -> None:
    sim = simulate()
    export(context, s3_key="latest", replace_other=True)
    next_day = {"data_interval_start": START + DAY, "data_interval_end": START + 2 * DAY}

    export(next_day, s3_key="latest", replace_other=True)

    truth = sim.truth(START + DAY, START + 2 * DAY)
    assert gzip.decompress(stored(s3, "latest")).splitlines() == in_order(truth)


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("status", {"status": 500}, VoisoServerError),
        ("truncated", {}, VoisoError),
        ("no_uuid", {}, VoisoResponseError),
        ("html", {}, VoisoResponseError),
    ],
)
def test_unreadable_window_keeps_the_object(
    kind: Any,
    options: Any,
    error: type[Exception],
    s3: SeaweedS3,
    simulate: Simulate,
    context: dict[str, Any],
) -> None:
    sim = simulate(readings=Readings(cap=100), extra={"per_page": 50})
    export(context, s3_key="kept")
    before = stored(s3, "kept")
    sim.faults.add(kind, position="last", times=None, **options)
    with pytest.raises(error, match=r"window \[2024-11-10T00:00:00"):
        export(context, s3_key="kept")
    assert stored(s3, "kept") == before
    assert keys(s3) == {"kept"}
    assert unfinished(s3) == []


class Stray(BaseHTTPRequestHandler):
    """An API that searches as it should, and always adds a record of another month."""

    records = (
        b'{"uuid":"early","timestamp":"2024-10-01T12:00:00Z"}',
        b'{"uuid":"one","timestamp":"2024-11-10T00:00:00.500Z"}',
        b'{"uuid":"two","timestamp":"2024-11-10T14:30:00Z"}',
        b'{"uuid":"three","timestamp":"2024-11-10T23:00:00Z"}',
    )

    def do_GET(self) -> None:
        params = dict(parse_qsl(urlsplit(self.path).query))
        start, end = params["start_datetime"], params["end_datetime"]
        found = [self.records[0]] if params.get("page") in {None, "1"} else []
        if found:
            found += [
                raw for raw in self.records[1:] if start <= json.loads(raw)["timestamp"][:19] <= end
            ]
        body = b'{"records":[' + b",".join(found) + b'],"search_token":null}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def stray(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Stray) as voiso:
        threading.Thread(
            target=voiso.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        connection = {
            "conn_type": "voiso",
            "host": f"http://127.0.0.1:{voiso.server_port}",
            "password": "some-key",
        }
        monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps(connection))
        yield
        voiso.shutdown()


@pytest.mark.usefixtures("stray")
def test_records_outside_the_request(s3: SeaweedS3, context: dict[str, Any]) -> None:
    with pytest.raises(VoisoOutOfWindowError, match="out_of_window"):
        export(context)
    assert keys(s3) == set()
    early, *inside = Stray.records
    for policy, expected in (("drop", inside), ("keep", [early, *inside])):
        manifest = export(context, out_of_window=policy)
        assert gzip.decompress(stored(s3, DEFAULT_KEY)).splitlines() == expected
        assert manifest["records"] == len(expected)
        assert manifest["out_of_window"] == 1


KILLED = """
from datetime import datetime, timedelta, timezone
from airflow_provider_voiso.hooks.voiso import VoisoHook
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator

start = datetime(2024, 11, 10, tzinfo=timezone.utc)
arguments = {"s3_bucket": "voiso-cdr", "s3_key": "kept", "compression": None}
VoisoCdrToS3Operator(task_id="export", **arguments).execute(
    {"data_interval_start": start, "data_interval_end": start + timedelta(days=1)}
)
"""


def test_kill_during_upload_keeps_object(
    s3: SeaweedS3, simulate: Simulate, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(records_per_day=3_000)
    export(context, s3_key="kept")
    before = stored(s3, "kept")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = json.loads(s3.connection())
        connection["extra"]["endpoint_url"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
        process = subprocess.Popen([sys.executable, "-c", KILLED], env={**os.environ})
        try:
            upload, _ = listener.accept()
            with upload, socket.create_connection(s3_address(s3)) as behind:
                part = upload.recv(65_536)
                behind.sendall(part)
                answers = threading.Thread(target=forward, args=(behind, upload), daemon=True)
                answers.start()
                sent = len(part)
                while sent < 200_000:
                    part = upload.recv(65_536)
                    behind.sendall(part)
                    sent += len(part)
                process.kill()
                assert process.wait() == -signal.SIGKILL
                behind.shutdown(socket.SHUT_RDWR)
                answers.join()
        finally:
            process.kill()
            process.wait()
    assert stored(s3, "kept") == before
    assert keys(s3) == {"kept"}
    assert unfinished(s3) == []


def s3_address(s3: SeaweedS3) -> tuple[str, int]:
    return "127.0.0.1", int(s3.endpoint_url.rpartition(":")[2])


def forward(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
