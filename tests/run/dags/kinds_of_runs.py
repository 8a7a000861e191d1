"""A DAG for every kind of schedule; each try of a task appends its run to the file $SEEN_RUNS.

Berlin's clocks change on 2025-03-30, a Sunday of 23 hours, and on 2025-10-26, a Sunday of 25. The
table of windows shows the second argument of each ``show`` as it is written here.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import airflow
import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset, BaseOperator
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable
from dateutil.relativedelta import relativedelta

from airflow_provider_voiso.exceptions import VoisoWindowError
from airflow_provider_voiso.run.window import resolve_window

AIRFLOW_2 = airflow.__version__.startswith("2.")
BERLIN = pendulum.timezone("Europe/Berlin")
SUNDAY = pendulum.datetime(2025, 3, 30, tz=BERLIN)
MONDAY = SUNDAY.add(days=1)
AUTUMN = pendulum.datetime(2025, 10, 26, tz=BERLIN)
INTERVAL_OF_SUNDAY = (SUNDAY, SUNDAY.add(hours=12))
TICK_OF_MONDAY = (MONDAY, MONDAY.add(hours=12))
# On Airflow 2 these schedules have intervals, on Airflow 3 ticks.
PLAIN = INTERVAL_OF_SUNDAY if AIRFLOW_2 else TICK_OF_MONDAY
FACTS = (
    "logical_date",
    "data_interval_start",
    "data_interval_end",
    "partition_key",
    "partition_date",
)


class SeeWindow(BaseOperator):
    """Resolve the window of the run; then fail the first try if its id starts with ``fails-``."""

    template_fields = ("window_start", "window_end")

    def __init__(
        self,
        *,
        window_start: str | None = None,
        window_end: str | None = None,
        granularity: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.window_start = window_start
        self.window_end = window_end
        self.granularity = granularity

    def execute(self, context: Any) -> None:
        run = context["dag_run"]
        facts = {name: context.get(name) or None for name in FACTS}
        facts["run_after"] = getattr(run, "run_after", None)
        seen: dict[str, Any] = {
            name: fact if fact is None else str(fact) for name, fact in facts.items()
        }
        seen |= {
            "schedule": run.dag_id,
            "run_id": run.run_id,
            "run_type": getattr(run.run_type, "value", run.run_type),
        }
        try:
            window = resolve_window(
                context,
                window_start=self.window_start,
                window_end=self.window_end,
                granularity=self.granularity,
            )
            seen["window"] = [window.start.isoformat(), window.end.isoformat()]
        except VoisoWindowError as error:
            seen["error"] = str(error)
        with Path(os.environ["SEEN_RUNS"]).open("a") as file:
            file.write(json.dumps(seen) + "\n")
        if run.run_id.startswith("fails-") and context["ti"].try_number == 1:
            raise RuntimeError("This run is to be retried.")


def show(
    dag_id: str,
    schedule: Any,
    scheduled: tuple[pendulum.DateTime, pendulum.DateTime] | None = None,
    *,
    paused: bool = False,
    outlets: Any = (),
    **arguments: Any,
) -> None:
    """Define a DAG of one task, whose scheduled runs lie between the given instants."""
    start, end = scheduled or (SUNDAY, None)
    with DAG(
        dag_id,
        schedule=schedule,
        start_date=start,
        end_date=end,
        catchup=scheduled is not None,
        is_paused_upon_creation=paused or None,
    ):
        SeeWindow(
            task_id="see", outlets=list(outlets), retries=1, retry_delay=timedelta(0), **arguments
        )


exported = Asset("exported")
exported_daily = Asset("exported_daily")

show("cron", "@daily", PLAIN)
# For commands that run tasks themselves: a scheduler would run them too.
show("paused", "@daily", (AUTUMN, AUTUMN.add(days=2)), paused=True)
show("delta", timedelta(days=1), PLAIN)
show("months", relativedelta(months=1), (SUNDAY, SUNDAY.add(hours=12)))
show(
    "cron_interval",
    CronDataIntervalTimetable("0 0 * * *", timezone=BERLIN),
    INTERVAL_OF_SUNDAY,
    outlets=[exported_daily],
)
show(
    "cron_trigger_interval",
    CronTriggerTimetable("0 6 * * *", timezone=BERLIN, interval=timedelta(days=1)),
    (SUNDAY, MONDAY.add(hours=12)),
)
show("once", "@once", TICK_OF_MONDAY)
show("unscheduled", None, outlets=[exported])
show(
    "given",
    None,
    window_start="{{ dag_run.conf['window_start'] }}",
    window_end="{{ dag_run.conf['window_end'] }}",
)
show("asset", [exported])

if AIRFLOW_2:
    from airflow.timetables.datasets import DatasetOrTimeSchedule  # type: ignore[import-not-found]

    show("asset_of_intervals", [exported_daily])
    # What a plain cron expression means from Airflow 3 on.
    show("cron_trigger", CronTriggerTimetable("0 0 * * *", timezone=BERLIN), TICK_OF_MONDAY)
    show(
        "dataset_or_time",
        DatasetOrTimeSchedule(
            timetable=CronTriggerTimetable("0 0 * * *", timezone=BERLIN), datasets=[exported]
        ),
    )
    show(
        "paused_trigger",
        CronTriggerTimetable("0 0 * * *", timezone=BERLIN),
        (AUTUMN, AUTUMN.add(days=2)),
        paused=True,
    )
else:
    from airflow.timetables.assets import AssetOrTimeSchedule
    from airflow.timetables.trigger import MultipleCronTriggerTimetable

    show(
        "two_crons",
        MultipleCronTriggerTimetable("0 6 * * *", "0 18 * * *", timezone=BERLIN),
        (SUNDAY, SUNDAY.add(hours=20)),
    )
    show(
        "asset_or_time",
        AssetOrTimeSchedule(
            timetable=CronTriggerTimetable("0 0 * * *", timezone=BERLIN),
            assets=[exported],  # type: ignore[list-item]
        ),
        TICK_OF_MONDAY,
    )

if not airflow.__version__.startswith(("2.", "3.0.", "3.1.")):
    from airflow.sdk import CronPartitionTimetable, PartitionedAssetTimetable

    by_day = Asset("by_day")
    show(
        "partition",
        CronPartitionTimetable("0 0 * * *", timezone=BERLIN, run_offset=-1, key_format="%Y-%m-%d"),
        TICK_OF_MONDAY,
        outlets=[by_day],
    )
    show(
        "partition_of_asset",
        PartitionedAssetTimetable(assets=by_day),
        granularity=timedelta(days=1),
    )
