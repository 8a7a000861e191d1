"""An export leaves alone what is not its own, and says what it left."""

from __future__ import annotations

import gzip
import json
import logging
import tempfile
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

import pytest

from airflow_provider_voiso.api.client import CdrClient
from airflow_provider_voiso.api.settings import Settings
from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.destinations.stores.object import ExportedObject
from airflow_provider_voiso.destinations.stores.s3 import S3Store
from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoDestinationError,
    VoisoReconciliationError,
    VoisoShrunkError,
    VoisoSpoolError,
)
from airflow_provider_voiso.simulator import Simulator
from tests.servers.s3 import SeaweedS3
from tests.servers.s3_proxy import S3Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_voiso.api.read import WindowRead
    from airflow_provider_voiso.destinations.base import Written

    MakeObject = Callable[..., ExportedObject]

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
DAY = Window(START, START + timedelta(days=1))
NEXT_DAY = Window(DAY.end, DAY.end + timedelta(days=1))
NUMBER = "4930123456789"
FILTERS = {"number": NUMBER}
KEY = "calls"
NO_ARGUMENTS = "44136fa355b3678a"
"""The hash of no upload_extra_args."""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    with SeaweedS3(tmp_path_factory.mktemp("s3") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def account() -> Iterator[CdrClient]:
    with Simulator(seed=3, records_per_day=300) as sim:
        client = CdrClient(Settings(base_url=sim.url, key=sim.key), name="voiso_default")
        yield client
        client.close()


@pytest.fixture(scope="module")
def read(account: CdrClient) -> Iterator[WindowRead]:
    with account.read(DAY) as found:
        assert found.records > 100
        yield found


@pytest.fixture(autouse=True)
def _empty(s3: SeaweedS3) -> None:
    s3.client().delete_object(Bucket=s3.bucket, Key=KEY)


@pytest.fixture
def exported(s3: SeaweedS3, account: CdrClient, monkeypatch: pytest.MonkeyPatch) -> MakeObject:
    """Return a function that makes the destination of an export of the day."""

    def make(
        *,
        window: Window = DAY,
        filters: dict[str, Any] | None = None,
        endpoint_url: str | None = None,
        upload_args: dict[str, Any] | None = None,
        **options: Any,
    ) -> ExportedObject:
        connection = json.loads(s3.connection())
        connection["extra"].update(config_kwargs={"retries": {"total_max_attempts": 1}})
        if endpoint_url:
            connection["extra"].update(endpoint_url=endpoint_url)
        monkeypatch.setenv("AIRFLOW_CONN_AWS_TEST", json.dumps(connection))
        arguments: dict[str, Any] = {
            "file_format": "ndjson",
            "compression": "gzip",
            "replace_other": False,
        }
        return ExportedObject(
            S3Store(bucket=s3.bucket, aws_conn_id="aws_test", upload_args=upload_args),
            key=KEY,
            window=window,
            selection=account.selection(filters),
            **{**arguments, **options},
        )

    return make


def put(s3: SeaweedS3, **metadata: str) -> None:
    s3.client().put_object(Bucket=s3.bucket, Key=KEY, Body=b"before", Metadata=metadata)


def stored(s3: SeaweedS3) -> bytes:
    return s3.client().get_object(Bucket=s3.bucket, Key=KEY)["Body"].read()  # type: ignore[no-any-return]


def lines(read: WindowRead) -> bytes:
    return b"".join(record + b"\n" for records in read for record in records)


def test_object_says_what_it_holds(
    s3: SeaweedS3, exported: MakeObject, account: CdrClient, read: WindowRead
) -> None:
    exported(filters=FILTERS).write(read)

    metadata = s3.client().head_object(Bucket=s3.bucket, Key=KEY)["Metadata"]
    assert metadata == {
        "window-start": "2024-11-10T00:00:00+00:00",
        "window-end": "2024-11-11T00:00:00+00:00",
        "selection": account.selection(FILTERS).digest,
        "account": "127.0.0.1",
        "records": str(read.records),
        "content": f"1-ndjson-gzip-{NO_ARGUMENTS}-{read.digest().hex()}",
    }
    assert NUMBER not in json.dumps(metadata)


def test_same_export_again(s3: SeaweedS3, exported: MakeObject, read: WindowRead) -> None:
    exported(filters=FILTERS).write(read)

    again = exported(filters=dict(FILTERS), file_format="csv", compression="gzip")
    again.check()
    again.write(read)

    assert gzip.decompress(stored(s3)).startswith(b"uuid,")


def modified(s3: SeaweedS3) -> Any:
    head = s3.client().head_object(Bucket=s3.bucket, Key=KEY)
    return head["LastModified"], head["ETag"], head["Metadata"]


def test_same_records_upload_nothing(
    s3: SeaweedS3, exported: MakeObject, read: WindowRead, proxy: S3Proxy
) -> None:
    first = exported().write(read)
    before = modified(s3)
    again = exported(endpoint_url=proxy.url)
    proxy.just_before["put"] = lambda: pytest.fail("uploads")

    again.check()
    written = again.write(read)

    assert (first.changed, first.records_before) == (True, None)
    assert (written.changed, written.records_before) == (False, read.records)
    assert written.bytes == first.bytes == len(stored(s3))
    assert "put" in proxy.just_before
    assert modified(s3) == before


@pytest.mark.parametrize(
    "other",
    [
        {"file_format": "csv"},
        {"file_format": "parquet", "compression": "zstd"},
        {"compression": None},
        {"upload_args": {"StorageClass": "STANDARD_IA"}},
        {"upload_args": {"Metadata": {"team": "sales"}}},
    ],
    ids=["format", "parquet", "compression", "storage class", "metadata"],
)
def test_same_records_in_another_form(
    s3: SeaweedS3, exported: MakeObject, read: WindowRead, other: dict[str, Any]
) -> None:
    exported().write(read)
    before = modified(s3)

    written = exported(**other).write(read)

    assert (written.changed, written.records_before) == (True, read.records)
    assert modified(s3)[2] != before[2]
    assert exported(**other).write(read).changed is False


def test_other_records(
    s3: SeaweedS3, exported: MakeObject, account: CdrClient, read: WindowRead
) -> None:
    with account.read(DAY, FILTERS) as fewer:
        exported().write(fewer)

        written = exported().write(read)

        assert (written.changed, written.records_before) == (True, fewer.records)
    assert gzip.decompress(stored(s3)) == lines(read)


def test_fewer_records(
    s3: SeaweedS3,
    exported: MakeObject,
    account: CdrClient,
    read: WindowRead,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with account.read(DAY, FILTERS) as fewer:
        exported().write(read)
        before = modified(s3)
        gated = exported(fail_if_fewer_than=0.9)
        gated.check()

        with pytest.raises(VoisoShrunkError, match=f"holds {read.records} records of "):
            gated.write(fewer)

        assert modified(s3) == before
        caplog.clear()
        written = exported().write(fewer)
    assert (written.changed, written.records_before) == (True, read.records)
    warned = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert len(warned) == 1
    assert f"held {read.records} records" in warned[0]


def test_gate_without_anything_to_lose(
    exported: MakeObject, account: CdrClient, read: WindowRead
) -> None:
    gated = exported(fail_if_fewer_than=1)

    assert gated.write(read).changed is True
    assert gated.write(read).changed is False
    with account.read(DAY, FILTERS) as fewer:
        latest = exported(window=NEXT_DAY, fail_if_fewer_than=1, replace_other=True)
        assert latest.write(fewer).changed is True


def test_another_window_without_records(
    s3: SeaweedS3, exported: MakeObject, account: CdrClient
) -> None:
    with account.read(DAY, {"number": "0"}) as nothing:
        exported().write(nothing)

        written = exported(window=NEXT_DAY, replace_other=True).write(nothing)

    # The records of another window tell nothing of this one.
    assert (written.changed, written.records_before) == (True, None)
    assert modified(s3)[2]["window-start"] == NEXT_DAY.start.isoformat()


def test_objects_of_earlier_versions(
    s3: SeaweedS3, exported: MakeObject, account: CdrClient, read: WindowRead
) -> None:
    selection = account.selection().digest
    bounds = {"window-start": DAY.start.isoformat(), "window-end": DAY.end.isoformat()}
    put(s3, **bounds, selection=selection, account="127.0.0.1", records="7")

    written = exported().write(read)

    assert (written.changed, written.records_before) == (True, 7)


@pytest.mark.parametrize(
    "other", [{"window": NEXT_DAY}, {"filters": FILTERS}], ids=["window", "selection"]
)
class TestAnotherExport:
    def test_refused_before_reading(
        self, s3: SeaweedS3, exported: MakeObject, read: WindowRead, other: dict[str, Any]
    ) -> None:
        exported(**other).write(read)
        before = stored(s3)

        with pytest.raises(VoisoConfigurationError, match="replace_other=True"):
            exported().check()

        assert stored(s3) == before

    def test_refused_before_writing(
        self, s3: SeaweedS3, exported: MakeObject, read: WindowRead, other: dict[str, Any]
    ) -> None:
        late = exported()
        late.check()
        exported(**other).write(read)
        before = stored(s3)

        with pytest.raises(VoisoConfigurationError, match="replace_other=True"):
            late.write(read)

        assert stored(s3) == before

    def test_replaced_on_demand(
        self, s3: SeaweedS3, exported: MakeObject, read: WindowRead, other: dict[str, Any]
    ) -> None:
        exported(**other).write(read)

        latest = exported(replace_other=True)
        latest.check()
        latest.write(read)

        assert gzip.decompress(stored(s3)) == lines(read)
        exported().check()


def test_refusal_names_both(exported: MakeObject, account: CdrClient, read: WindowRead) -> None:
    exported(window=NEXT_DAY, filters=FILTERS).write(read)

    with pytest.raises(VoisoConfigurationError) as caught:
        exported().check()

    held, exports = account.selection(FILTERS).digest, account.selection().digest
    assert str(caught.value) == (
        f"s3://voiso-cdr/calls holds the window {NEXT_DAY} of the selection {held} (127.0.0.1), "
        "and "
        f"this task exports the window {DAY} of the selection {exports} (127.0.0.1). It was left "
        "as "
        "it was. Give each a key of its own, or set replace_other=True if the object is to hold "
        "whatever was exported last."
    )


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"team": "sales"},
        {"window-start": "2024-11-10T00:00:00+00:00", "window-end": "2024-11-11T00:00:00+00:00"},
    ],
    ids=["none", "others", "window alone"],
)
def test_object_that_says_too_little(
    s3: SeaweedS3,
    exported: MakeObject,
    read: WindowRead,
    metadata: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "airflow_provider_voiso")
    put(s3, **metadata)

    exported().check()
    exported().write(read)

    assert gzip.decompress(stored(s3)) == lines(read)
    said = [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("airflow_provider_voiso")
    ]
    assert said == [
        "s3://voiso-cdr/calls does not say which window and selection it holds; replacing it."
    ]


def test_window_alone_is_compared(s3: SeaweedS3, exported: MakeObject) -> None:
    put(
        s3,
        **{"window-start": "2024-11-09T00:00:00+00:00", "window-end": "2024-11-10T00:00:00+00:00"},
    )

    with pytest.raises(VoisoConfigurationError, match="2024-11-09"):
        exported().check()


def test_strange_metadata_is_not_repeated(s3: SeaweedS3, exported: MakeObject) -> None:
    put(s3, selection="<script>", account="somebody's number: 123")

    with pytest.raises(VoisoConfigurationError) as caught:
        exported().check()

    assert "script" not in str(caught.value)
    assert "123" not in str(caught.value)


@pytest.fixture
def proxy(s3: SeaweedS3) -> Iterator[S3Proxy]:
    host, _, port = s3.endpoint_url.removeprefix("http://").rpartition(":")
    with S3Proxy((host, int(port))) as running:
        yield running


@pytest.mark.parametrize("there", [True, False], ids=["object", "nothing"])
class TestReplacedMeanwhile:
    """Another task writes between the last look and the upload."""

    def test_by_another_window(
        self, s3: SeaweedS3, exported: MakeObject, read: WindowRead, proxy: S3Proxy, there: bool
    ) -> None:
        if there:
            exported(file_format="csv").write(read)
        late = exported(endpoint_url=proxy.url)
        late.check()
        other = exported(window=NEXT_DAY, compression=None, replace_other=True)
        proxy.just_before["put"] = lambda: other.write(read)

        with pytest.raises(VoisoConfigurationError, match=r"holds the window .*2024-11-12"):
            late.write(read)

        assert stored(s3) == lines(read)

    def test_by_the_same(
        self, s3: SeaweedS3, exported: MakeObject, read: WindowRead, proxy: S3Proxy, there: bool
    ) -> None:
        if there:
            exported(file_format="csv").write(read)
        late = exported(endpoint_url=proxy.url)
        late.check()
        other = exported(compression=None)
        proxy.just_before["put"] = lambda: other.write(read)

        late.write(read)

        assert proxy.just_before == {}
        assert gzip.decompress(stored(s3)) == lines(read)


class Shaped(BaseHTTPRequestHandler):
    """Takes every object; its class says what a look at one gives, and what a condition gives."""

    status = 403
    status_after_put: int | None = None
    headers_of_object: dict[str, str] = {}  # noqa: RUF012 - the handler's class is its configuration
    takes_conditions = True

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        is_refused = not self.takes_conditions and "If-Match" in self.headers
        self._answer(412 if is_refused else 200, {"ETag": '"x"'})
        if self.status_after_put:
            type(self).status = self.status_after_put

    def do_HEAD(self) -> None:
        self._answer(self.status, {"ETag": '"x"', **self.headers_of_object})

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def shaped() -> Iterator[type[Shaped]]:
    class Handler(Shaped):
        url = ""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        Handler.url = f"http://127.0.0.1:{server.server_port}"
        yield Handler
        server.shutdown()


def test_object_is_hidden(exported: MakeObject, read: WindowRead, shaped: Any) -> None:
    hidden = exported(endpoint_url=shaped.url)
    hidden.check()

    with pytest.raises(
        VoisoReconciliationError, match=r"was written, but cannot .* S3 answered 403.*s3:GetObject"
    ):
        hidden.write(read)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, None),
        ({"Content-Length": "6"}, "has 6 bytes where "),
        ({"x-amz-meta-records": "4"}, "or was replaced by another run"),
        ({"x-amz-meta-selection": ""}, "or was replaced by another run"),
    ],
)
def test_object_afterwards(
    exported: MakeObject,
    account: CdrClient,
    read: WindowRead,
    shaped: Any,
    wrong: dict[str, str],
    says: str | None,
) -> None:
    described = {
        "window-start": DAY.start.isoformat(),
        "window-end": DAY.end.isoformat(),
        "selection": account.selection().digest,
        "account": "127.0.0.1",
        "records": str(read.records),
        "content": f"1-ndjson-none-{NO_ARGUMENTS}-{read.digest().hex()}",
    }
    found = {f"x-amz-meta-{name}": value for name, value in described.items()}
    shaped.status, shaped.status_after_put = 404, 200
    shaped.headers_of_object = {**found, "Content-Length": str(len(lines(read))), **wrong}
    looked_at = exported(endpoint_url=shaped.url, compression=None, replace_other=True)

    if says is None:
        assert looked_at.write(read).bytes == len(lines(read))
    else:
        with pytest.raises(VoisoReconciliationError, match=says):
            looked_at.write(read)


def test_conditions_that_never_hold(exported: MakeObject, read: WindowRead, shaped: Any) -> None:
    shaped.takes_conditions = False
    shaped.status = 200

    with pytest.raises(VoisoReconciliationError, match="has 0 bytes"):
        exported(endpoint_url=shaped.url).write(read)


def test_records_that_get_lost(s3: SeaweedS3, exported: MakeObject, read: WindowRead) -> None:
    class Lossy:
        """A read whose disk gives back less than it took."""

        records = read.records
        digest = read.digest

        def blocks(self) -> Iterator[Any]:
            return iter(())

    put(s3)

    with pytest.raises(
        VoisoReconciliationError, match=f": 0 of {read.records} records were written"
    ):
        exported().write(cast("Any", Lossy()))

    assert stored(s3) == b"before"


def test_disk_is_full(
    s3: SeaweedS3, exported: MakeObject, read: WindowRead, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3)

    def full_disk(**_: Any) -> Any:
        return open("/dev/full", "w+b", buffering=0)  # noqa: PTH123 - closed by the store

    monkeypatch.setattr(tempfile, "TemporaryFile", full_disk)

    with pytest.raises(VoisoSpoolError, match="No space left on device"):
        exported().write(read)

    assert stored(s3) == b"before"


def test_temporary_file_is_removed(
    exported: MakeObject, read: WindowRead, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    writing = exported()

    class Watched:
        """A read that looks, halfway, whether the file has a name."""

        records = read.records
        digest = read.digest

        def blocks(self) -> Iterator[Any]:
            yield from read.blocks()
            assert list(tmp_path.iterdir()) == []

    written: Written = writing.write(cast("Any", Watched()))

    assert written.bytes > 0
    assert list(tmp_path.iterdir()) == []


def test_server_that_is_missing(exported: MakeObject) -> None:
    with pytest.raises(
        VoisoDestinationError, match="got no answer: EndpointConnectionError"
    ) as caught:
        exported(endpoint_url="http://127.0.0.1:9").check()

    assert str(DAY) in str(caught.value)
