"""Whatever S3 does while an object is uploaded, at once or in parts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.exceptions import (
    VoisoDestinationError,
    VoisoError,
    VoisoReconciliationError,
)
from tests.conftest import ALL_FAULTS
from tests.faults.destinations import END, S3, START, ended_at
from tests.faults.promise import WINDOW, voiso
from tests.secret_search import text_of
from tests.servers.s3_proxy import S3Fault, S3Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.promise import Promise
    from tests.servers.s3 import SeaweedS3

LARGE = "calls/large"


@pytest.fixture(scope="module")
def proxy(s3_server: SeaweedS3) -> Iterator[S3Proxy]:
    with S3Proxy(s3_server.address) as running:
        yield running


@pytest.fixture
def through(
    proxy: S3Proxy, s3: S3, promise: Promise, monkeypatch: pytest.MonkeyPatch
) -> Iterator[S3Proxy]:
    """Let the exports go through the proxy, each request once."""
    connect(monkeypatch, s3, proxy)
    promise.lead_to(promise.new)
    yield proxy
    proxy.faults.clear()
    proxy.lost_at = None


def connect(
    monkeypatch: pytest.MonkeyPatch,
    s3: S3,
    proxy: S3Proxy,
    *,
    threshold: int = 5 << 20,
    **changed: str,
) -> None:
    connection = {**json.loads(s3.server.connection()), **changed}
    config = {"retries": {"total_max_attempts": 1, "mode": "standard"}}
    parts = {
        "transfer_config_args": {"multipart_threshold": threshold, "multipart_chunksize": 5 << 20}
    }
    connection["extra"].update(
        endpoint_url=proxy.url, config_kwargs=config, service_config={"s3": parts}
    )
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))


pytestmark = pytest.mark.parametrize("destination", ["s3"], indirect=True)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (S3Fault("put", "status"), "S3 answered SlowDown"),
        (S3Fault("put", "status", 500, "InternalError"), "S3 answered InternalError"),
        (S3Fault("put", "status", 403, "AccessDenied"), "S3 answered AccessDenied.*the rights"),
        (S3Fault("put", "status", 404, "NoSuchBucket"), "S3 answered NoSuchBucket.*the bucket"),
        (S3Fault("put", "status", 403, "ExpiredToken"), "S3 answered ExpiredToken"),
        (S3Fault("put", "reset"), "Connection"),
    ],
    ids=lambda value: f"{value.kind} {value.code}" if isinstance(value, S3Fault) else "",
)
def test_refused_upload_fails(
    fault: S3Fault, says: str, promise: Promise, through: S3Proxy
) -> None:
    through.faults.append(fault)
    promise.assert_fails(VoisoDestinationError, says)
    through.faults.clear()
    promise.assert_succeeds()


def test_lost_upload_answer_fails(promise: Promise, through: S3Proxy) -> None:
    """The new state is there, which the error must not deny."""
    through.faults.append(S3Fault("put", "reset_after"))
    with pytest.raises(VoisoDestinationError) as caught:
        promise.destination.export()
    assert "or all of the window" in str(caught.value)
    promise.assert_new()
    through.faults.clear()
    promise.assert_succeeds()


@pytest.mark.parametrize("kind", ["status", "reset"])
def test_unreadable_object_fails(kind: Any, promise: Promise, through: S3Proxy) -> None:
    """Two looks come before the upload, one after it."""
    through.faults.append(S3Fault("head", kind, 403, "AccessDenied", spared=2))
    with pytest.raises(
        VoisoReconciliationError, match="was written, but cannot be looked at"
    ) as caught:
        promise.destination.export()
    assert WINDOW in str(caught.value)
    promise.assert_new()
    through.faults.clear()
    promise.assert_succeeds()


@pytest.mark.parametrize("spared", [0, 1], ids=["before reading", "before writing"])
@pytest.mark.parametrize(
    ("kind", "status", "error", "says"),
    [
        ("status", 403, VoisoReconciliationError, "holds what the connection may not look at"),
        ("status", 503, VoisoDestinationError, "was not written: S3 answered 503"),
        (
            "reset",
            0,
            VoisoDestinationError,
            "got no answer: Connection.*It holds what it held before",
        ),
    ],
    ids=["forbidden", "unavailable", "reset"],
)
def test_object_hidden_before_upload(
    kind: Any,
    status: int,
    error: type[VoisoError],
    says: str,
    spared: int,
    promise: Promise,
    through: S3Proxy,
) -> None:
    through.faults.append(S3Fault("head", kind, status, "AccessDenied", spared=spared))
    promise.assert_fails(error, says)
    through.faults.clear()
    promise.assert_succeeds()


def test_client_retries_one_failure(
    promise: Promise, through: S3Proxy, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(s3.server.connection())
    connection["extra"]["endpoint_url"] = through.url
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    through.faults += [S3Fault("put", "status", times=1), S3Fault("head", "reset", times=1)]
    promise.assert_succeeds()
    assert through.faults == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"password": "not-the-secret"}, "SignatureDoesNotMatch.*the rights of the AWS connection"),
        ({"login": "nobody"}, "InvalidAccessKeyId.*the rights of the AWS connection"),
    ],
    ids=["secret", "key"],
)
def test_wrong_credentials_are_named(
    changed: dict[str, Any],
    says: str,
    promise: Promise,
    proxy: S3Proxy,
    s3: S3,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(monkeypatch, s3, proxy, **changed)
    promise.lead_to(promise.new)
    error = promise.assert_fails(VoisoDestinationError, says)
    assert "not-the-secret" not in text_of(error)
    connect(monkeypatch, s3, proxy)
    promise.assert_succeeds()


def test_a_bucket_that_is_missing(promise: Promise, through: S3Proxy) -> None:
    assert through
    promise.assert_fails(
        VoisoDestinationError, "NoSuchBucket.*Check the bucket", s3_bucket="no-such-bucket"
    )
    promise.assert_succeeds()


@pytest.fixture
def in_parts(
    promise: Promise, through: S3Proxy, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> Promise:
    """Let even a small object be uploaded by the requests of a large one."""
    connect(monkeypatch, s3, through, threshold=1)
    return promise


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (S3Fault("create", "status", 403, "AccessDenied"), "AccessDenied"),
        (S3Fault("part", "status"), "SlowDown"),
        (S3Fault("part", "reset"), "Connection"),
        (S3Fault("part", "reset_after"), "Connection"),
        (S3Fault("complete", "status", 403, "AccessDenied"), "AccessDenied.*the rights"),
        (S3Fault("complete", "late_error", 200, "InternalError"), "InternalError"),
        (S3Fault("complete", "reset"), "Connection"),
    ],
    ids=lambda value: f"{value.operation} {value.kind}" if isinstance(value, S3Fault) else "",
)
def test_multipart_upload_fails(
    fault: S3Fault, says: str, in_parts: Promise, through: S3Proxy
) -> None:
    through.faults.append(fault)
    in_parts.assert_fails(VoisoDestinationError, says)
    through.faults.clear()
    in_parts.assert_succeeds()


def test_lost_completion_answer_fails(in_parts: Promise, through: S3Proxy) -> None:
    through.faults.append(S3Fault("complete", "reset_after"))
    with pytest.raises(VoisoDestinationError, match="or all of the window"):
        in_parts.destination.export()
    in_parts.assert_new()
    through.faults.clear()
    in_parts.assert_succeeds()


@pytest.mark.parametrize(
    "lost",
    [[S3Fault("complete", "status"), S3Fault("abort", "status")], "all"],
    ids=["no abort", "all"],
)
def test_next_run_removes_left_parts(
    lost: Any, in_parts: Promise, through: S3Proxy, s3: S3
) -> None:
    if lost == "all":
        through.lost_at = "complete"
    else:
        through.faults += lost
    with pytest.raises(VoisoDestinationError) as caught:
        in_parts.destination.export()
    assert WINDOW in str(caught.value)
    assert len(s3.server.unfinished_uploads()) == 1
    through.faults.clear()
    through.lost_at = None
    in_parts.assert_succeeds()


@pytest.mark.skipif(not ALL_FAULTS, reason="takes seconds; make faults runs it")
def test_broken_later_part_fails(promise: Promise, through: S3Proxy, s3: S3) -> None:
    """The first part is there already, more of the window is still to be compressed."""
    bucket = s3.server.bucket
    s3.client.put_object(Bucket=bucket, Key=LARGE, Body=b"old")
    through.faults.append(S3Fault("part", "reset", spared=1))
    with voiso(drifted=True, records_per_day=20_000) as sim:
        promise.lead_to(sim, per_page=10_000)
        with pytest.raises(VoisoDestinationError) as caught:
            s3.export(s3_key=LARGE, compression=None)
        promise.assert_untold(caught.value)
        assert through.faults[0].spared == 0
        assert s3.client.get_object(Bucket=bucket, Key=LARGE)["Body"].read() == b"old"
        assert s3.server.unfinished_uploads() == []
        through.faults.clear()
        s3.export(s3_key=LARGE, compression=None)
        ordered = sorted(
            sim.truth(START, END).items(), key=lambda item: (ended_at(json.loads(item[1])), item[0])
        )
    stored = s3.client.get_object(Bucket=bucket, Key=LARGE)["Body"].read()
    s3.client.delete_object(Bucket=bucket, Key=LARGE)
    assert stored == b"".join(record + b"\n" for _, record in ordered)
    assert s3.server.unfinished_uploads() == []
