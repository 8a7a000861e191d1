from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoDestinationError,
    VoisoResponseError,
    VoisoShrunkError,
)
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.reference_to_s3 import VoisoReferenceToS3Operator
from airflow_provider_voiso.simulator.account import REFERENCES, reference_list

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_voiso.simulator import Simulator
    from tests.servers.s3 import SeaweedS3

    Simulate = Callable[..., Simulator]

AGENTS = "voiso/reference/agents.ndjson.gz"


@pytest.fixture
def s3(s3_server: SeaweedS3, monkeypatch: pytest.MonkeyPatch) -> SeaweedS3:
    """Return the server, empty, as the connection ``aws_default``."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", s3_server.connection())
    for key in keys(s3_server):
        s3_server.client().delete_object(Bucket=s3_server.bucket, Key=key)
    return s3_server


def keys(s3: SeaweedS3) -> set[str]:
    found = s3.client().list_objects_v2(Bucket=s3.bucket).get("Contents", [])
    return {item["Key"] for item in found}


def stored(s3: SeaweedS3, key: str = AGENTS) -> bytes:
    return s3.client().get_object(Bucket=s3.bucket, Key=key)["Body"].read()  # type: ignore[no-any-return]


def lines(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(content).splitlines()]


def operator(reference: str = "agents", **options: Any) -> VoisoReferenceToS3Operator:
    return VoisoReferenceToS3Operator(
        task_id="load", reference=reference, **{"s3_bucket": "voiso-cdr", **options}
    )


@pytest.mark.parametrize("reference", REFERENCES)
def test_every_list_becomes_one_object(reference: str, s3: SeaweedS3, simulate: Simulate) -> None:
    simulate()

    manifest = operator(reference).execute({})

    [key] = keys(s3)
    content = stored(s3, key)
    fetched_at = datetime.fromisoformat(manifest["fetched_at"])
    found = lines(content)
    assert {datetime.fromisoformat(item.pop("fetched_at")) for item in found} == {fetched_at}
    assert found == [{**item, "extra": None} for item in reference_list(reference)]
    assert manifest == {
        "reference": reference,
        "records": len(found),
        "fetched_at": manifest["fetched_at"],
        "bytes": len(content),
        "uri": f"s3://voiso-cdr/voiso/reference/{reference}.ndjson.gz",
    }


def test_csv_holds_each_item(s3: SeaweedS3, simulate: Simulate) -> None:
    simulate()

    operator("wrapup_codes", file_format="csv", compression=None).execute({})

    text = stored(s3, "voiso/reference/wrapup_codes.csv").decode()
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    assert {item["code"]: item["description"] for item in found} == {
        str(item["code"]): item["description"] for item in reference_list("wrapup_codes")
    }
    assert {item["extra"] for item in found} == {""}


def test_parquet_is_typed(s3: SeaweedS3, simulate: Simulate) -> None:
    simulate()

    operator(file_format="parquet").execute({})

    found = pq.read_table(pa.BufferReader(stored(s3, "voiso/reference/agents.parquet")))
    assert found.schema.types == [
        pa.int64(), pa.string(), pa.string(), pa.timestamp("us", tz="UTC"),
    ]  # fmt: skip
    assert found.select(["id", "name"]).to_pylist() == reference_list("agents")


def test_second_list_replaces_the_first(s3: SeaweedS3, simulate: Simulate) -> None:
    simulate()
    first = operator().execute({})

    second = operator().execute({})

    assert second["records_before"] == first["records"]
    times = {item["fetched_at"] for item in lines(stored(s3))}
    assert {datetime.fromisoformat(time).isoformat() for time in times} == {second["fetched_at"]}


def test_object_describes_itself(s3: SeaweedS3, simulate: Simulate) -> None:
    simulate()

    manifest = operator(upload_extra_args={"Metadata": {"team": "sales"}}).execute({})

    head = s3.client().head_object(Bucket=s3.bucket, Key=AGENTS)
    assert head["ContentType"] == "application/x-ndjson"
    assert head["Metadata"] == {
        "account": "127.0.0.1",
        "content": "reference-agents",
        "fetched-at": manifest["fetched_at"],
        "records": str(manifest["records"]),
        "team": "sales",
    }


def test_lost_rights_wipe_nothing(s3: SeaweedS3, blind: Callable[[], None]) -> None:
    operator().execute({})
    held = stored(s3)
    blind()

    with pytest.raises(VoisoShrunkError, match=r"holds 27 items.*allow_empty=True"):
        operator().execute({})

    assert stored(s3) == held
    operator(allow_empty=True).execute({})
    assert lines(stored(s3)) == []


def test_empty_list_spares_unknown_object(s3: SeaweedS3, blind: Callable[[], None]) -> None:
    s3.client().put_object(Bucket=s3.bucket, Key=AGENTS, Body=b"by hand")
    blind()

    with pytest.raises(VoisoShrunkError, match="holds the earlier list"):
        operator().execute({})

    assert stored(s3) == b"by hand"


def test_empty_list_becomes_empty_object(s3: SeaweedS3, blind: Callable[[], None]) -> None:
    blind()

    manifests = [operator().execute({}) for _ in range(2)]

    assert [manifest["records"] for manifest in manifests] == [0, 0]
    assert lines(stored(s3)) == []


def test_wrong_answer_leaves_the_object(s3: SeaweedS3, simulate: Simulate) -> None:
    sim = simulate()
    operator().execute({})
    held = stored(s3)
    sim.faults.add("html", path="agents", times=None)

    with pytest.raises(VoisoResponseError):
        operator().execute({})

    assert stored(s3) == held


@pytest.mark.parametrize("other", ["list", "window"])
def test_other_exports_are_left(
    other: str, s3: SeaweedS3, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate()
    if other == "list":
        operator("teams", s3_key="x").execute({})
    else:
        VoisoCdrToS3Operator(task_id="t", s3_bucket="voiso-cdr", s3_key="x").execute(context)
    held, asked = stored(s3, "x"), len(sim.requests)

    with pytest.raises(VoisoConfigurationError, match="another export of this package"):
        operator(s3_key="x").execute({})

    assert stored(s3, "x") == held
    assert len(sim.requests) == asked


@pytest.mark.usefixtures("s3")
def test_missing_bucket_is_told(simulate: Simulate) -> None:
    simulate()

    with pytest.raises(VoisoDestinationError, match=r"The list agents was not exported.*NoSuchB"):
        operator(s3_bucket="no-such-bucket").execute({})


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("voiso/{window_start}", "may hold {reference} and {extension}"),
        ("voiso/../{reference}", "no part of it may be empty or consist of dots"),
        (7, "is of type int, not text"),
    ],
)
@pytest.mark.usefixtures("s3")
def test_bad_keys_are_refused(key: Any, message: str, simulate: Simulate) -> None:
    sim = simulate()

    with pytest.raises(VoisoConfigurationError, match=message):
        operator(s3_key=key).execute({})

    assert not sim.requests


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reference": "users"}, "Unknown reference 'users'"),
        ({"file_format": "json"}, "Unknown file_format"),
        ({"compression": "lz4"}, "Unknown compression"),
        ({"allow_empty": None}, "allow_empty must be True or False"),
    ],
)
def test_slips_are_told_at_parsing(options: dict[str, Any], message: str) -> None:
    with pytest.raises(VoisoConfigurationError, match=message):
        operator(**options)


def test_templates_are_rendered(s3: SeaweedS3, simulate: Simulate) -> None:
    simulate()
    task = operator("{{ params.list }}", s3_key="lists/dt={{ ds }}/{reference}.{extension}")

    task.render_template_fields({"params": {"list": "teams"}, "ds": "2026-11-22"})
    task.execute({})

    assert keys(s3) == {"lists/dt=2026-11-22/teams.ndjson.gz"}


@pytest.mark.usefixtures("s3")
def test_page_link_is_left(simulate: Simulate) -> None:
    simulate()
    task = operator()

    task.execute({})

    assert task.object_url
    assert task.object_url.endswith(f"/voiso-cdr/{AGENTS}")
