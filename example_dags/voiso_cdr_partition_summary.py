"""Every day of Berlin that changed in S3, counted anew in a table (Airflow 3.2+)."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AssetAlias, BaseHook, task

# What voiso_cdr_partitioned announces: only days whose records changed.
CHANGED = AssetAlias("voiso_berlin_changed")

CREATE = "CREATE TABLE IF NOT EXISTS voiso_summary (day TEXT, type TEXT, records INTEGER)"
DELETE = "DELETE FROM voiso_summary WHERE day = ?"
INSERT = "INSERT INTO voiso_summary (day, type, records) VALUES (?, ?, ?)"


@task
def summarize(*, triggering_asset_events: Any = None) -> dict[str, Any]:
    """Replace the counts of the run's day by those of the object that its event names."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - not while the file is parsed
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook  # noqa: PLC0415
    from pyarrow import BufferReader  # noqa: PLC0415

    event = triggering_asset_events[CHANGED][-1]
    uri = event.extra["voiso"]["uri"]
    bucket, key = S3Hook.parse_s3_url(uri)
    content = S3Hook("aws_default").get_key(key, bucket).get()["Body"].read()
    types = pq.read_table(BufferReader(content), columns=["type"]).column("type")
    day = key.partition("dt=")[2][:10]
    counts = {each["values"]: each["counts"] for each in types.value_counts().to_pylist()}

    warehouse: Any = BaseHook.get_hook("voiso_warehouse")
    with closing(warehouse.get_conn()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(CREATE)
        cursor.execute(DELETE, (day,))
        cursor.executemany(INSERT, [(day, name, count) for name, count in counts.items()])
        connection.commit()
    return {"day": day, "records": sum(counts.values())}


try:
    from airflow.sdk import PartitionedAssetTimetable
except ImportError:
    pass
else:
    with DAG(
        dag_id="voiso_cdr_partition_summary",
        schedule=PartitionedAssetTimetable(assets=CHANGED),
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
        tags=["voiso"],
    ):
        summarize()
