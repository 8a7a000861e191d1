"""What S3 is asked for, against a real server."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.destinations.stores.base import ANY_STATE, Description, StoreError
from airflow_provider_voiso.destinations.stores.s3 import S3Store
from airflow_provider_voiso.destinations.stores.s3_arguments import check_bucket, taken_by
from airflow_provider_voiso.exceptions import VoisoConfigurationError
from tests.servers.s3 import SeaweedS3
from tests.servers.s3_proxy import S3Fault, S3Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    MakeStore = Callable[..., S3Store]

OURS = {"window-start": "2026-11-10T00:00:00+00:00", "records": "3"}
LARGE = random.Random(1).randbytes(17 << 20)  # noqa: S311 - it must only be hard to compress
CUSTOMER_KEY = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "a/../b", "..a", "a b", "a\n", "a\0", "a%2fb", "a?x", "a#", "a@b:c"],
)
def test_names_of_no_bucket_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a bucket"):
        check_bucket(name)


@pytest.mark.parametrize(
    "name", ["voiso-cdr", "a1.b-c", "Old_Bucket", "arn:aws:s3:eu-west-1:123456789012:accesspoint/a"]
)
def test_names_of_buckets(name: str) -> None:
    check_bucket(name)


@pytest.mark.parametrize("name", [20241110, None, ["voiso-cdr"]])
def test_bucket_that_is_no_text(name: Any) -> None:
    with pytest.raises(
        VoisoConfigurationError, match=f"s3_bucket is of type {type(name).__name__}, not text"
    ):
        check_bucket(name)


@pytest.fixture(autouse=True)
def _no_aws_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in os.environ:
        if name.startswith(("AIRFLOW_CONN_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    with SeaweedS3(tmp_path_factory.mktemp("s3") / "data") as server:
        yield server


@pytest.fixture
def store(s3: SeaweedS3, monkeypatch: pytest.MonkeyPatch) -> MakeStore:
    """Return a function that makes a store by an Airflow connection."""

    def make(*, bucket: Any = s3.bucket, upload_args: Any = None, **connection: Any) -> S3Store:
        described = json.loads(s3.connection())
        described["extra"].update(config_kwargs={"retries": {"total_max_attempts": 1}})
        described["extra"].update(connection.pop("extra", {}))
        described.update(connection)
        monkeypatch.setenv("AIRFLOW_CONN_AWS_TEST", json.dumps(described))
        return S3Store(bucket=bucket, aws_conn_id="aws_test", upload_args=upload_args)

    return make


def put(store: S3Store, key: str, content: bytes, replaces: Description | None = ANY_STATE) -> bool:
    file = io.BytesIO(content)
    return store.put(key, file, metadata=OURS, content_type="text/csv", replaces=replaces)


def stored(s3: SeaweedS3, key: str, **args: Any) -> bytes:
    return s3.client().get_object(Bucket=s3.bucket, Key=key, **args)["Body"].read()  # type: ignore[no-any-return]


def unfinished(s3: SeaweedS3) -> list[Any]:
    return s3.client().list_multipart_uploads(Bucket=s3.bucket).get("Uploads", [])  # type: ignore[no-any-return]


def test_object_is_described(s3: SeaweedS3, store: MakeStore) -> None:
    assert put(store(), "a/b", b"content")

    found = store().describe("a/b")

    assert stored(s3, "a/b") == b"content"
    assert found is not None
    assert (found.size, found.metadata) == (7, OURS)
    assert s3.client().head_object(Bucket=s3.bucket, Key="a/b")["ContentType"] == "text/csv"


def test_object_that_is_missing(store: MakeStore) -> None:
    assert store().describe("never") is None


@pytest.mark.parametrize("content", [b"", b"x", b"short"])
def test_object_is_replaced_whole(s3: SeaweedS3, store: MakeStore, content: bytes) -> None:
    put(store(), "again", b"a longer content")

    put(store(), "again", content)

    assert stored(s3, "again") == content


def test_large_object_in_parts(s3: SeaweedS3, store: MakeStore) -> None:
    put(store(), "large", LARGE)

    assert stored(s3, "large") == LARGE
    head = s3.client().head_object(Bucket=s3.bucket, Key="large")
    assert head["ETag"].strip('"').endswith("-3")
    assert head["Metadata"] == OURS


def test_parts_of_killed_upload(s3: SeaweedS3, store: MakeStore) -> None:
    client = s3.client()
    for key in ("killed", "killed-not"):
        upload = client.create_multipart_upload(Bucket=s3.bucket, Key=key)["UploadId"]
        client.upload_part(Bucket=s3.bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"part")

    put(store(), "killed", b"content")

    left = [upload for upload in unfinished(s3) if upload["Key"].startswith("killed")]
    for upload in left:
        client.abort_multipart_upload(
            Bucket=s3.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
        )
    assert stored(s3, "killed") == b"content"
    assert [upload["Key"] for upload in left] == ["killed-not"]


@pytest.mark.parametrize("content", [b"content", LARGE], ids=["small", "in parts"])
class TestConditions:
    def test_nothing_is_expected(self, s3: SeaweedS3, store: MakeStore, content: bytes) -> None:
        s3.client().delete_object(Bucket=s3.bucket, Key="new")

        assert put(store(), "new", content, None)
        assert not put(store(), "new", b"other", None)

        assert stored(s3, "new") == content
        assert unfinished(s3) == []

    def test_another_state_is_expected(
        self, s3: SeaweedS3, store: MakeStore, content: bytes
    ) -> None:
        put(store(), "changed", b"first")
        first = store().describe("changed")
        put(store(), "changed", b"second")
        second = store().describe("changed")

        assert not put(store(), "changed", content, first)
        assert stored(s3, "changed") == b"second"
        assert put(store(), "changed", content, second)
        assert stored(s3, "changed") == content
        assert unfinished(s3) == []

    def test_object_is_gone(self, s3: SeaweedS3, store: MakeStore, content: bytes) -> None:
        put(store(), "gone", b"first")
        first = store().describe("gone")
        s3.client().delete_object(Bucket=s3.bucket, Key="gone")

        assert not put(store(), "gone", content, first)

        assert store().describe("gone") is None

    def test_server_knows_none(self, s3: SeaweedS3, store: MakeStore, content: bytes) -> None:
        host, _, port = s3.endpoint_url.removeprefix("http://").rpartition(":")
        with S3Proxy((host, int(port))) as proxy:
            for operation in ("put", "complete"):
                proxy.faults.append(S3Fault(operation, "status", 501, "NotImplemented", times=1))
            through = store(extra={"endpoint_url": proxy.url})

            assert put(through, "unconditional", content, through.describe("unconditional"))

        assert stored(s3, "unconditional") == content


def test_upload_args_reach_object(s3: SeaweedS3, store: MakeStore) -> None:
    extra = {
        "StorageClass": "STANDARD_IA",
        "ServerSideEncryption": "AES256",
        "ContentType": "text/plain",
    }
    given = store(upload_args={**extra, "Metadata": {"Team": "sales"}})
    given.check()

    put(given, "extra", b"content")

    found = s3.client().head_object(Bucket=s3.bucket, Key="extra")
    assert {name: found[name] for name in extra} == extra
    assert found["Metadata"] == {**OURS, "team": "sales"}


@pytest.mark.parametrize("content", [b"content", LARGE], ids=["small", "in parts"])
def test_customer_key_also_reads(s3: SeaweedS3, store: MakeStore, content: bytes) -> None:
    given = store(upload_args=CUSTOMER_KEY)
    given.check()
    assert put(given, "customer", content)

    found = given.describe("customer")

    assert found is not None
    assert found.size == len(content)
    assert stored(s3, "customer", **CUSTOMER_KEY) == content
    with pytest.raises(StoreError, match="S3 answered"):
        store().describe("customer")


def test_args_that_others_take(store: MakeStore) -> None:
    model = store()._client.meta.service_model
    owner = {"RequestPayer": "requester", "ExpectedBucketOwner": "111122223333"}
    given = {**CUSTOMER_KEY, **owner, "StorageClass": "STANDARD_IA", "Metadata": {}}

    assert taken_by("HeadObject", given, model) == {**CUSTOMER_KEY, **owner}
    assert taken_by("ListMultipartUploads", given, model) == owner
    assert taken_by("AbortMultipartUpload", given, model) == owner


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("text", "upload_extra_args must be a dict, not str"),
        ([("StorageClass", "STANDARD")], "must be a dict, not list"),
        ({"StorageCLass": "STANDARD"}, "'StorageCLass'.* Did you mean 'StorageClass'"),
        ({"ServerSideEncrypion": "AES256"}, "Did you mean 'ServerSideEncryption'"),
        ({"Bucket": "another"}, "'Bucket', which boto3's uploads do not take"),
        ({"xyzzy": "a"}, "They take: ACL, "),
        ({1: "a"}, "holds 1, which"),
        (
            {"StorageClass": 1},
            "StorageClass in upload_extra_args is of type int; S3 takes a string",
        ),
        ({"StorageClass": None}, "of type NoneType"),
        (
            {"Tagging": {"team": "sales"}},
            "of type dict; S3 takes a string. Write tags as 'team=sales&kind=cdr'",
        ),
        (
            {"Metadata": "team=sales"},
            "Metadata in upload_extra_args is of type str; S3 takes a map",
        ),
        (
            {"Metadata": {"team": 7}},
            "Metadata 'team' in upload_extra_args is of type int, not text",
        ),
        (
            {"Metadata": {"team": "Köln"}},
            "Metadata 'team' in upload_extra_args is not printable ASCII",
        ),
        (
            {"Metadata": {"team": "a\nb"}},
            "Metadata 'team' in upload_extra_args is not printable ASCII",
        ),
        ({"Metadata": {"größe": "a"}}, "a name that S3 cannot store"),
        ({"Metadata": {"a b": "a"}}, "a name that S3 cannot store"),
        ({"Metadata": {1: "a"}}, "a name that S3 cannot store"),
        ({"Metadata": {"records": "many"}}, "holds 'records'. The package itself says there"),
        ({"Metadata": {"Window-Start": "x"}}, "holds 'Window-Start'"),
        ({"Metadata": {"selection": "x"}}, "holds 'selection'"),
    ],
)
def test_upload_args_are_refused(store: MakeStore, given: Any, complaint: str) -> None:
    with pytest.raises(VoisoConfigurationError, match=complaint):
        store(upload_args=given).check()


def test_refusals_tell_no_key(store: MakeStore) -> None:
    with pytest.raises(VoisoConfigurationError) as caught:
        store(upload_args={"SSECustomerKey": ["customer-secret"]}).check()

    assert "customer-secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["", 7, ["aws_default"]])
def test_connection_id_is_refused(name: Any) -> None:
    with pytest.raises(VoisoConfigurationError, match="aws_conn_id must be the id of a connection"):
        S3Store(bucket="voiso-cdr", aws_conn_id=name, upload_args=None).check()


def test_named_connection_is_missing(s3: SeaweedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret)

    with pytest.raises(VoisoConfigurationError, match="'aws_mistyped' does not exist"):
        S3Store(bucket=s3.bucket, aws_conn_id="aws_mistyped", upload_args=None).check()


@pytest.mark.parametrize("conn_id", ["aws_default", None])
def test_credentials_of_environment(
    s3: SeaweedS3, monkeypatch: pytest.MonkeyPatch, conn_id: Any
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret)
    monkeypatch.setenv("AWS_DEFAULT_REGION", s3.region)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint_url)

    assert put(
        S3Store(bucket=s3.bucket, aws_conn_id=conn_id, upload_args=None), "environment", b"content"
    )

    assert stored(s3, "environment") == b"content"


def test_log_is_silent_on_credentials(
    store: MakeStore, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    store().check()

    assert "credentials" not in capsys.readouterr().out + caplog.text


@pytest.mark.parametrize("conn_id", ["aws_default", "aws_test", None])
def test_no_credentials_at_all(
    s3: SeaweedS3, store: MakeStore, monkeypatch: pytest.MonkeyPatch, conn_id: Any
) -> None:
    store(login="", password="")
    monkeypatch.setenv("AWS_DEFAULT_REGION", s3.region)
    bare = S3Store(bucket=s3.bucket, aws_conn_id=conn_id, upload_args=None)

    with pytest.raises(
        VoisoConfigurationError, match=r"There are no AWS credentials \(NoCredentialsError\)"
    ):
        bare.describe("a")


@pytest.mark.parametrize(
    "extra",
    [
        {"endpoint_url": "no url"},
        {"profile_name": "none"},
        {"config_kwargs": {"signature_version": "none"}},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_connection_that_makes_no_client(store: MakeStore, extra: dict[str, Any]) -> None:
    with pytest.raises(VoisoConfigurationError, match="'aws_test'"):
        store(extra=extra).describe("a")


@pytest.mark.parametrize("content", [b"content", LARGE], ids=["small", "in parts"])
def test_bucket_that_is_missing(s3: SeaweedS3, store: MakeStore, content: bytes) -> None:
    missing = store(bucket="no-such-bucket")

    with pytest.raises(StoreError, match=r"S3 answered NoSuchBucket\. Check the bucket"):
        missing.describe("a")
    with pytest.raises(StoreError, match=r"S3 answered NoSuchBucket\. Check the bucket"):
        put(missing, "a", content)

    assert "no-such-bucket" not in {
        bucket["Name"] for bucket in s3.client().list_buckets()["Buckets"]
    }


@pytest.mark.parametrize(
    ("connection", "code"),
    [
        ({"login": "someone"}, "InvalidAccessKeyId"),
        ({"password": "another-secret"}, "SignatureDoesNotMatch"),
    ],
)
def test_credentials_that_are_wrong(
    store: MakeStore, connection: dict[str, str], code: str
) -> None:
    wrong = store(**connection)

    for ask in (lambda: wrong.describe("a"), lambda: put(wrong, "a", b"content")):
        with pytest.raises(StoreError, match=f"S3 answered {code}.*rights of the AWS") as caught:
            ask()
        assert caught.value.is_refused
        assert "another-secret" not in str(caught.value)


def test_server_that_is_missing(store: MakeStore) -> None:
    with pytest.raises(StoreError, match=r"EndpointConnectionError\. Check the endpoint") as caught:
        store(extra={"endpoint_url": "http://127.0.0.1:9"}).describe("a")

    assert not caught.value.is_refused


def test_missing_amazon_provider_is_named() -> None:
    program = """
import sys
import airflow.providers.common.compat.sdk
from airflow_provider_voiso.exceptions import VoisoConfigurationError
from airflow_provider_voiso.destinations.stores.s3 import S3Store

class Missing:
    package = ""

    def find_spec(self, name, path=None, target=None):
        if (name + ".").startswith(self.package + "."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

missing = Missing()
sys.meta_path.insert(0, missing)
for missing.package in ("airflow.providers.amazon", "boto3"):
    try:
        S3Store(bucket="voiso-cdr", aws_conn_id="aws_default", upload_args=None).check()
    except VoisoConfigurationError as error:
        assert "airflow-provider-voiso[amazon]" in str(error)
    else:
        raise SystemExit(f"let through without {missing.package}")
"""
    subprocess.run([sys.executable, "-c", program], check=True)
