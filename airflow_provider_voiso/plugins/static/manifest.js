// Manifests in the extra of asset events. Anybody may write there, so that odd ones are left out.

import { DAY, instant } from "./time.js";

const EARLIEST = Date.UTC(2000, 0, 1);
// Longer windows, or such in the far future, would stretch the calendar beyond use.
const LONGEST = 366 * DAY;
const LONGEST_TEXT = 500;

/**
 * Return the export that an event tells of, or null if it tells of none.
 * @param {Object} event as Airflow's REST API returns it
 */
export function exportOf(event) {
  const manifest = event?.extra?.voiso;
  if (typeof manifest !== "object" || manifest === null || Array.isArray(manifest)) return null;
  const start = instant(manifest.window_start);
  const end = instant(manifest.window_end);
  const records = count(manifest.records);
  const when = instant(event.timestamp);
  if (!isUsable(start, end) || records === undefined || Number.isNaN(when)) return null;
  return {
    id: event.id,
    start,
    end,
    records,
    when,
    bytes: count(manifest.bytes),
    probes: count(manifest.probes),
    requests: count(manifest.requests),
    unfinished: count(manifest.unfinished),
    before: count(manifest.records_before),
    clock: text(manifest.clock),
    place: text(manifest.uri) ?? text(manifest.table) ?? "",
    changed: typeof manifest.changed === "boolean" ? manifest.changed : undefined,
    dag: text(event.source_dag_id),
    task: text(event.source_task_id),
    run: text(event.source_run_id),
    map: Number.isInteger(event.source_map_index) ? event.source_map_index : -1,
  };
}

/** Tell whether a window can be shown: NaN compares as false. */
export function isUsable(start, end) {
  const length = end - start;
  return start >= EARLIEST && length > 0 && length <= LONGEST && end <= Date.now() + LONGEST;
}

function count(value) {
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function text(value) {
  return typeof value === "string" && value !== "" ? value.slice(0, LONGEST_TEXT) : undefined;
}
