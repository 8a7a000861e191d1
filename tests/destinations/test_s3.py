from __future__ import annotations

import json
import posixpath
import random
import subprocess
import sys
import unicodedata
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_voiso.destinations.stores.s3 import (
    DEFAULT_KEY,
    check_bucket,
    object_key,
    put_object,
    s3_client,
    s3_hook,
)
from airflow_provider_voiso.exceptions import VoisoDestinationError, VoisoReconciliationError
from tests.servers.s3 import SeaweedS3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_voiso.destinations.files.writing import Writable

    Put = Callable[..., int]

UNPRINTABLE = ["\0", "\n", "\r", "\t", "\x7f", "\x85", "\u2028", "\u202e", "\u200b", "\ud800", "\\", "%5c", "%00"]
PARTS_THAT_LEAD_ELSEWHERE = [
    *["", " ", ".", "..", " ..", ".. ", "...", "%2e%2e", "%2E.", "%252e%252e", "%25252e.", "%c0%ae/..", "%EF%BC%8E."],
    *[
        "\uff0e\uff0e",
        "\u2024.",
        "\u2025",
        "..\uff0f..",
        "..%2f..",
        "\uff05\uff12e.",
        "{window_start:}/..",
        "{window_start:..}",
    ],
]
START = datetime(2026, 11, 10, tzinfo=timezone.utc)
OURS = {"window-start": "2026-11-10T00:00:00+00:00", "records": "3"}


def key_of(template: str, zone: Any = timezone.utc) -> str:
    start, end = START.astimezone(zone), (START + timedelta(days=1)).astimezone(zone)
    return object_key(template, window_start=start, window_end=end, extension="csv.gz")


@pytest.mark.parametrize(
    ("template", "key"),
    [
        (DEFAULT_KEY, "voiso/cdr/dt=2026-11-10/cdr_20261110T000000+0000_20261111T000000+0000.csv.gz"),
        ("plain", "plain"),
        ("a/{window_start:%Y/%m/%d}/{window_end:%H%M}.{extension}", "a/2026/11/10/0000.csv.gz"),
        ("{window_start}", "2026-11-10T00:00:00+00:00"),
        ("{window_start:%H:%M:%S}", "00:00:00"),
        ("ü/日本/{extension}", "ü/日本/csv.gz"),
        ("..hidden/a..b/.c", "..hidden/a..b/.c"),
        ("100%", "100%"),
        ("at=2026-11-10 00%3A00/a%2Fb", "at=2026-11-10 00%3A00/a%2Fb"),
        ("{window_start:}", "2026-11-10T00:00:00+00:00"),
        ("a}b{", "a}b{"),
    ],
)
def test_keys(template: str, key: str) -> None:
    assert key_of(template) == key


def test_a_key_shows_the_window_in_the_zone_it_is_given() -> None:
    shown = key_of(DEFAULT_KEY, ZoneInfo("Pacific/Auckland"))
    assert shown == "voiso/cdr/dt=2026-11-10/cdr_20261110T130000+1300_20261111T130000+1300.csv.gz"
    shown = key_of(DEFAULT_KEY, ZoneInfo("America/New_York"))
    assert shown == "voiso/cdr/dt=2026-11-09/cdr_20261109T190000-0500_20261110T190000-0500.csv.gz"


@pytest.mark.parametrize(
    "template",
    ["{ds}", "{}", "{0}", "{window}", "{window_start.year}", "{extension:x}", "a/{WINDOW_START}", "{a}{extension}"],
)
def test_unknown_placeholders_are_named(template: str) -> None:
    with pytest.raises(ValueError, match=r"holds \{.*It may hold \{window_start\}"):
        key_of(template)


@pytest.mark.parametrize("template", ["x" * 1025, "ü" * 600, *[f"a/{mark}b" for mark in UNPRINTABLE]])
def test_keys_that_no_path_can_have_are_refused(template: str) -> None:
    with pytest.raises(ValueError, match="must be a path of at most 1024 bytes below the bucket"):
        key_of(template)


@pytest.mark.parametrize("part", PARTS_THAT_LEAD_ELSEWHERE)
@pytest.mark.parametrize("template", ["{}", "{}/a", "a/{}", "a/{}/b", "a/{}/{}/b"])
def test_keys_that_lead_elsewhere_are_refused(template: str, part: str) -> None:
    with pytest.raises(ValueError, match="must be a path"):
        key_of(template.replace("{}", part))


@given(st.text(max_size=20), st.lists(st.sampled_from([*PARTS_THAT_LEAD_ELSEWHERE, "/", "%", "a", "25"])).map("".join))
def test_what_a_template_is_filled_with_stays_below_its_prefix(text: str, hostile: str) -> None:
    for name in (text, hostile, text + hostile):
        with suppress(ValueError):
            key = key_of(f"exports/{name}/x")
            assert key.isprintable()
            for _ in range(5):
                path = PurePosixPath("/bucket", key.replace("\\", "/"))
                assert posixpath.normpath(path).startswith("/bucket/exports/")
                assert "//" not in key
                key = unicodedata.normalize("NFKC", unquote(key))


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a/../b", "..a", "a b", "a\n", "a\0", "a%2fb", "a?x", "a#", "a@b:c"]
)
def test_names_of_no_bucket_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a bucket"):
        check_bucket(name)


@pytest.mark.parametrize(
    "name", ["voiso-cdr", "a1.b-c", "Old_Bucket", "arn:aws:s3:eu-west-1:123456789012:accesspoint/a"]
)
def test_names_of_buckets(name: str) -> None:
    check_bucket(name)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.timedeltas(timedelta(seconds=1), timedelta(9)))  # noqa: DTZ001 - the zone is added below
def test_windows_that_differ_have_default_keys_that_differ(local: datetime, length: timedelta) -> None:
    start = local.replace(microsecond=0, tzinfo=timezone.utc)
    length -= timedelta(microseconds=length.microseconds)
    zone = ZoneInfo("Europe/Berlin")

    def key(first: datetime, last: datetime) -> str:
        return object_key(
            DEFAULT_KEY, window_start=first.astimezone(zone), window_end=last.astimezone(zone), extension="x"
        )

    keys = {key(start, start + length), key(start + length, start + 2 * length), key(start, start + 2 * length)}
    assert len(keys) == 3


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    with SeaweedS3(tmp_path_factory.mktemp("s3") / "data") as server:
        yield server


@pytest.fixture
def put(s3: SeaweedS3, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Return a function that uploads bytes through Airflow's hook."""

    def upload(
        content: Any, key: str, *, extra: dict[str, Any] | None = None, connection: Any = None, **options: Any
    ) -> int:
        described = json.loads(s3.connection())
        described["extra"].update(config_kwargs={"retries": {"max_attempts": 1}})
        for name, value in (connection or {}).items():
            if name == "extra":
                described["extra"].update(value)
            else:
                described[name] = value
        monkeypatch.setenv("AIRFLOW_CONN_AWS_TEST", json.dumps(described))
        hook = s3_hook("aws_test")
        return put_object(
            lambda: s3_client(hook),
            content if callable(content) else lambda file: file.write(content),
            key=key,
            config=hook.transfer_config,
            **{"bucket": s3.bucket, "metadata": OURS, "extra_args": extra or {}, **options},
        )

    return upload


def stored(s3: SeaweedS3, key: str) -> bytes:
    return s3.client().get_object(Bucket=s3.bucket, Key=key)["Body"].read()  # type: ignore[no-any-return]


def head(s3: SeaweedS3, key: str) -> dict[str, Any]:
    return s3.client().head_object(Bucket=s3.bucket, Key=key)  # type: ignore[no-any-return]


def unfinished(s3: SeaweedS3) -> list[Any]:
    return s3.client().list_multipart_uploads(Bucket=s3.bucket).get("Uploads", [])  # type: ignore[no-any-return]


def test_an_object_is_stored_with_what_describes_it(s3: SeaweedS3, put: Put) -> None:
    assert put(b"content", "a/b", extra={"ContentType": "text/csv"}) == 7
    assert stored(s3, "a/b") == b"content"
    described = head(s3, "a/b")
    assert described["Metadata"] == OURS
    assert described["ContentType"] == "text/csv"


@pytest.mark.parametrize("content", [b"", b"x", b"short"])
def test_an_object_is_replaced_as_a_whole(s3: SeaweedS3, put: Put, content: bytes) -> None:
    put(b"a longer content", "again")
    assert put(content, "again") == len(content)
    assert stored(s3, "again") == content


def test_a_large_object_goes_up_in_parts(s3: SeaweedS3, put: Put) -> None:
    content = random.Random(1).randbytes(17 << 20)  # noqa: S311 - it must only be hard to compress
    assert put(content, "large") == len(content)
    assert stored(s3, "large") == content
    assert head(s3, "large")["ETag"].strip('"').endswith("-3")
    assert head(s3, "large")["Metadata"] == OURS


def test_what_a_killed_upload_left_behind_is_dropped_by_the_next(s3: SeaweedS3, put: Put) -> None:
    client = s3.client()
    for key in ("killed", "killed-not"):
        upload = client.create_multipart_upload(Bucket=s3.bucket, Key=key)["UploadId"]
        client.upload_part(Bucket=s3.bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"part")
    put(b"content", "killed")
    assert stored(s3, "killed") == b"content"
    left = [upload for upload in unfinished(s3) if upload["Key"].startswith("killed")]
    assert [upload["Key"] for upload in left] == ["killed-not"]
    for upload in left:
        client.abort_multipart_upload(Bucket=s3.bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def test_arguments_of_the_upload_reach_the_object(s3: SeaweedS3, put: Put) -> None:
    extra = {"StorageClass": "STANDARD_IA", "ServerSideEncryption": "AES256", "ContentType": "text/plain"}
    put(b"content", "extra", extra={**extra, "Metadata": {"Team": "sales"}})
    found = head(s3, "extra")
    assert {name: found[name] for name in extra} == extra
    assert found["Metadata"] == {**OURS, "team": "sales"}
    assert stored(s3, "extra") == b"content"


def test_the_callers_metadata_take_precedence(s3: SeaweedS3, put: Put) -> None:
    put(b"content", "metadata", extra={"Metadata": {"records": "many"}})
    assert head(s3, "metadata")["Metadata"] == {**OURS, "records": "many"}


@pytest.mark.parametrize("size", [0, 10, 20 << 20])
def test_a_writer_that_breaks_off_leaves_the_object_and_no_parts(s3: SeaweedS3, put: Put, size: int) -> None:
    def break_off(file: Writable) -> None:
        file.write(bytes(size))
        raise RuntimeError("the disk is gone")

    put(b"before", "kept")
    with pytest.raises(RuntimeError, match="the disk is gone"):
        put(break_off, "kept")
    assert stored(s3, "kept") == b"before"
    assert unfinished(s3) == []


@pytest.mark.parametrize("size", [10, 9 << 20])
def test_a_missing_bucket_is_named(s3: SeaweedS3, put: Put, size: int) -> None:
    with pytest.raises(VoisoDestinationError, match=r"s3://no-such-bucket/a was not written: S3 answered NoSuchBucket"):
        put(bytes(size), "a", bucket="no-such-bucket")
    assert "no-such-bucket" not in {bucket["Name"] for bucket in s3.client().list_buckets()["Buckets"]}


@pytest.mark.parametrize("connection", [{"login": "someone"}, {"password": "another-secret"}])
def test_wrong_credentials_leave_the_object_as_it_was(s3: SeaweedS3, put: Put, connection: dict[str, str]) -> None:
    put(b"before", "rights")
    with pytest.raises(VoisoDestinationError, match=r"was not written: S3 answered .*rights of the AWS") as caught:
        put(b"after", "rights", connection=connection)
    assert "secret" not in str(caught.value)
    assert stored(s3, "rights") == b"before"


def test_a_server_that_is_not_there(put: Put) -> None:
    with pytest.raises(VoisoDestinationError, match="got no answer: EndpointConnectionError"):
        put(b"content", "a", connection={"extra": {"endpoint_url": "http://127.0.0.1:9"}})


class WriteOnly(BaseHTTPRequestHandler):
    """Takes every object and shows none; its class says what a look at one gives."""

    status = 403
    headers_of_object: dict[str, str] = {}  # noqa: RUF012 - the handler's class is its configuration

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, {"ETag": '"x"'})

    def do_HEAD(self) -> None:
        self._answer(self.status, self.headers_of_object)

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def write_only() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), WriteOnly) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_object_that_may_not_be_looked_at_was_written_all_the_same(put: Put, write_only: str) -> None:
    with pytest.raises(VoisoReconciliationError, match=r"was written, but cannot .* S3 answered 403.*s3:GetObject"):
        put(b"content", "a", connection={"extra": {"endpoint_url": write_only}})


@pytest.mark.parametrize(
    ("length", "metadata", "fits"),
    [
        ("7", OURS, True),
        ("6", OURS, False),
        ("7", {**OURS, "records": "4"}, False),
        ("7", {}, False),
    ],
)
def test_an_object_that_another_run_replaced_is_noticed(
    put: Put, write_only: str, monkeypatch: pytest.MonkeyPatch, length: str, metadata: dict[str, str], fits: bool
) -> None:
    found = {"Content-Length": length, **{f"x-amz-meta-{name}": value for name, value in metadata.items()}}
    monkeypatch.setattr(WriteOnly, "status", 200)
    monkeypatch.setattr(WriteOnly, "headers_of_object", found)
    connection = {"extra": {"endpoint_url": write_only}}
    if fits:
        assert put(b"content", "a", connection=connection) == 7
    else:
        with pytest.raises(
            VoisoReconciliationError, match=f"has {length} bytes where 7 were uploaded, or was replaced"
        ):
            put(b"content", "a", connection=connection)


def test_without_the_amazon_provider_its_extra_is_named() -> None:
    program = """
import sys
import airflow.providers.common.compat.sdk
from airflow_provider_voiso.exceptions import VoisoConfigurationError
from airflow_provider_voiso.destinations.stores.s3 import s3_hook

class Missing:
    package = ""

    def find_spec(self, name, path=None, target=None):
        if (name + ".").startswith(self.package + "."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

missing = Missing()
sys.meta_path.insert(0, missing)
for missing.package in ("airflow.providers.amazon", "boto3"):
    try:
        s3_hook("aws_default")
    except VoisoConfigurationError as error:
        assert "airflow-provider-voiso[amazon]" in str(error)
    else:
        raise SystemExit(f"let through without {missing.package}")
"""
    subprocess.run([sys.executable, "-c", program], check=True)
