from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_voiso.compat.links import worker_makes_links
from airflow_provider_voiso.compat.pages import has_pages
from airflow_provider_voiso.destinations.stores.s3_url import browser_url
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.provider_info import get_provider_info
from airflow_provider_voiso.report import links
from airflow_provider_voiso.report.links import VoisoCoverageLink, VoisoObjectLink

if TYPE_CHECKING:
    from airflow_provider_voiso.operators.base import VoisoCdrExportOperator
    from airflow_provider_voiso.simulator import Simulator
    from tests.servers.s3 import SeaweedS3

KEY = "voiso/dt=2024-11-10/a b+c.ndjson.gz"


@pytest.mark.parametrize(
    ("endpoint", "region", "url"),
    [
        (
            "https://s3.eu-central-1.amazonaws.com",
            "eu-central-1",
            (
                "https://console.aws.amazon.com/s3/object/cdr?region=eu-central-1"
                "&prefix=voiso%2Fdt%3D2024-11-10%2Fa+b%2Bc.ndjson.gz"
            ),
        ),
        (
            "https://s3.amazonaws.com",
            "aws-global",
            (
                "https://console.aws.amazon.com/s3/object/cdr"
                "?prefix=voiso%2Fdt%3D2024-11-10%2Fa+b%2Bc.ndjson.gz"
            ),
        ),
        (
            "https://s3.cn-north-1.amazonaws.com.cn",
            "cn-north-1",
            (
                "https://console.amazonaws.cn/s3/object/cdr?region=cn-north-1"
                "&prefix=voiso%2Fdt%3D2024-11-10%2Fa+b%2Bc.ndjson.gz"
            ),
        ),
        (
            "https://s3.us-gov-west-1.amazonaws.com",
            "us-gov-west-1",
            (
                "https://console.amazonaws-us-gov.com/s3/object/cdr?region=us-gov-west-1"
                "&prefix=voiso%2Fdt%3D2024-11-10%2Fa+b%2Bc.ndjson.gz"
            ),
        ),
        (
            "http://user:secret@minio.lan:9000/s3/",
            "us-east-1",
            "http://minio.lan:9000/s3/cdr/voiso/dt%3D2024-11-10/a%20b%2Bc.ndjson.gz",
        ),
        (
            "http://[::1]:9000",
            None,
            "http://[::1]:9000/cdr/voiso/dt%3D2024-11-10/a%20b%2Bc.ndjson.gz",
        ),
        (
            "https://amazonaws.com.example.org",
            "us-east-1",
            "https://amazonaws.com.example.org/cdr/voiso/dt%3D2024-11-10/a%20b%2Bc.ndjson.gz",
        ),
    ],
)
def test_url_of_an_object(endpoint: str, region: str | None, url: str) -> None:
    assert browser_url("cdr", KEY, endpoint, region) == url


def test_access_point_has_no_page() -> None:
    arn = "arn:aws:s3:eu-central-1:123456789012:accesspoint/cdr"

    assert browser_url(arn, KEY, "https://s3.eu-central-1.amazonaws.com", "eu-central-1") is None


class Pushed:
    """The XComs of one task instance."""

    map_index = -1

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.values[key] = value


@pytest.fixture
def pushed(
    context: dict[str, Any],
    simulator: Simulator,  # noqa: ARG001 - is the connection
    s3_server: SeaweedS3,
    monkeypatch: pytest.MonkeyPatch,
) -> Pushed:
    """Return the task instance of an export to S3, which may leave XComs."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", s3_server.connection())
    instance = Pushed()
    context["ti"] = instance
    return instance


def test_link_leads_to_the_object(
    context: dict[str, Any], pushed: Pushed, s3_server: SeaweedS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = VoisoCdrToS3Operator(task_id="export", s3_bucket=s3_server.bucket, s3_key="linked")

    def get_value(*, key: str, ti_key: Any) -> Any:
        return ti_key.values.get(key)

    monkeypatch.setattr(links, "XCom", SimpleNamespace(get_value=get_value))

    task.execute(context)

    url = VoisoObjectLink().get_link(task, ti_key=pushed)
    host, port = s3_server.address
    assert url == f"http://{host}:{port}/{s3_server.bucket}/linked"


@pytest.mark.parametrize("do_xcom_push", [True, False])
def test_url_is_pushed_for_airflow_2(
    context: dict[str, Any], pushed: Pushed, s3_server: SeaweedS3, *, do_xcom_push: bool
) -> None:
    task = VoisoCdrToS3Operator(
        task_id="export",
        s3_bucket=s3_server.bucket,
        s3_key="unlinked",
        do_xcom_push=do_xcom_push,
    )

    task.execute(context)

    assert bool(pushed.values) == (do_xcom_push and not worker_makes_links())


@pytest.mark.skipif(not worker_makes_links(), reason="Airflow 2 asks the XCom")
def test_failed_export_has_no_link() -> None:
    task = VoisoCdrToS3Operator(task_id="export", s3_bucket="bucket")

    assert VoisoObjectLink().get_link(task, ti_key=None) == ""


def test_links_are_registered() -> None:
    names = [
        f"{link.__module__}.{link.__qualname__}" for link in (VoisoObjectLink, VoisoCoverageLink)
    ]

    assert get_provider_info()["extra-links"] == names


@pytest.mark.parametrize("operator", [VoisoCdrToS3Operator, VoisoCdrToSqlOperator])
def test_coverage_link_where_pages_are(operator: type[VoisoCdrExportOperator]) -> None:
    names = [link.name for link in operator.operator_extra_links]

    assert ("Coverage" in names) == has_pages()


@pytest.mark.skipif(not has_pages(), reason="pages of plugins came with Airflow 3.1")
def test_coverage_link_names_the_asset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/deep/")
    outlets = [AssetAlias("alias"), Asset("calls", uri="s3://bucket/calls & more")]
    task = VoisoCdrToS3Operator(task_id="export", s3_bucket="bucket", outlets=outlets)

    url = VoisoCoverageLink().get_link(task, ti_key=None)

    page = "https://airflow.example.com/deep/voiso/coverage"
    assert url == f"{page}?asset=s3%3A%2F%2Fbucket%2Fcalls+%26+more"


@pytest.mark.skipif(not has_pages(), reason="pages of plugins came with Airflow 3.1")
def test_coverage_link_without_address() -> None:
    task = VoisoCdrToS3Operator(task_id="export", s3_bucket="bucket", outlets=[Asset("calls")])

    assert VoisoCoverageLink().get_link(task, ti_key=None) == "voiso/coverage?asset=calls"


@pytest.mark.skipif(not has_pages(), reason="pages of plugins came with Airflow 3.1")
def test_no_asset_no_coverage_link() -> None:
    task = VoisoCdrToS3Operator(task_id="export", s3_bucket="bucket")

    assert VoisoCoverageLink().get_link(task, ti_key=None) == ""
