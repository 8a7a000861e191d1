"""A DAG for every kind of schedule; each task returns the window of its run, or why there is none.

Berlin's clocks change on 2025-03-30, which has 23 hours, and on 2025-10-26, which has 25.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import airflow
import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset, BaseOperator
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable

from airflow_provider_voiso.exceptions import VoisoWindowError
from airflow_provider_voiso.run_window import resolve_window

BERLIN = pendulum.timezone("Europe/Berlin")
FACTS = ("logical_date", "data_interval_start", "data_interval_end", "partition_key", "partition_date")


class ShowWindow(BaseOperator):
    """Return what the context says of the run and the window that follows from it."""

    def __init__(self, *, granularity: timedelta | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.granularity = granularity

    def execute(self, context: Any) -> dict[str, Any]:
        shown: dict[str, Any] = {name: str(context[name]) for name in FACTS if name in context}
        shown["timetable"] = type(context["dag"].timetable).__module__
        try:
            window = resolve_window(context, granularity=self.granularity)
        except VoisoWindowError as error:
            return {**shown, "error": str(error)}
        return {**shown, "window": [window.start.isoformat(), window.end.isoformat()]}


SPRING = pendulum.datetime(2025, 3, 30, tz=BERLIN)


def show(
    dag_id: str,
    schedule: Any,
    *,
    catchup: bool = True,
    start: pendulum.DateTime = SPRING,
    outlets: Any = (),
    granularity: timedelta | None = None,
) -> DAG:
    end = start.add(days=1, hours=12) if catchup else None
    with DAG(dag_id, schedule=schedule, start_date=start, end_date=end, catchup=catchup) as dag:
        ShowWindow(task_id="show", granularity=granularity, outlets=list(outlets))
    return dag


exported = Asset("exported")

show("cron", "@daily")
show("delta", timedelta(days=1))
show("cron_interval", CronDataIntervalTimetable("0 0 * * *", timezone=BERLIN))
show("cron_trigger_interval", CronTriggerTimetable("0 6 * * *", timezone=BERLIN, interval=timedelta(days=1)))
show("unscheduled", None, catchup=False, outlets=[exported])
show("asset_only", [exported], catchup=False)

if airflow.__version__.startswith("2."):
    # What a plain cron expression means from Airflow 3 on.
    show("cron_trigger", CronTriggerTimetable("0 0 * * *", timezone=BERLIN))
    autumn = pendulum.datetime(2025, 10, 26, tz=BERLIN)
    show("backfilled", "@daily", catchup=False, start=autumn)
    midnights = CronTriggerTimetable("0 0 * * *", timezone=BERLIN)
    show("backfilled_trigger", midnights, catchup=False, start=autumn)
else:
    from airflow.sdk import AssetOrTimeSchedule
    from airflow.timetables.trigger import MultipleCronTriggerTimetable

    show("two_crons", MultipleCronTriggerTimetable("0 6 * * *", "0 18 * * *", timezone=BERLIN))
    yearly: Any = CronTriggerTimetable("0 0 1 1 *", timezone=BERLIN)
    show("asset_or_time", AssetOrTimeSchedule(timetable=yearly, assets=[exported]), catchup=False)

if not airflow.__version__.startswith(("2.", "3.0.", "3.1.")):
    from airflow.sdk import CronPartitionTimetable, PartitionedAssetTimetable

    by_day = Asset("by_day")
    days = CronPartitionTimetable("0 0 * * *", timezone=BERLIN, run_offset=-1, key_format="%Y-%m-%d")
    show("partition", days, outlets=[by_day])
    downstream = PartitionedAssetTimetable(assets=by_day)
    show("partition_downstream", downstream, catchup=False, granularity=timedelta(days=1))
