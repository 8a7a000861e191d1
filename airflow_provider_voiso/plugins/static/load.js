// What the page shows, as Airflow's REST API tells it: assets with manifests, and their DAGs.

import { AbsentError, get, getAll, getFirst, RefusedError } from "./api.js";
import { instanceFrom, keyOfTask, runFrom } from "./attempts.js";
import { exportOf } from "./manifest.js";
import { instant } from "./time.js";

const ON_DEMAND = "voiso_cdr_on_demand";
const TO_LOOK_AT = [
  "failed",
  "upstream_failed",
  "scheduled",
  "queued",
  "running",
  "restarting",
  "deferred",
  "up_for_retry",
  "up_for_reschedule",
];
const NEWEST = [["order_by", "-run_after"]];
const NEWEST_RUNS = 100;

/**
 * Load every asset whose newest events carry a manifest, with the DAGs that export to it.
 * @param {Function} isWanted tells which assets are loaded before all others
 * @param {Function} onAsset called with each asset when its newest windows are known, and again
 *     when all are, which `isWhole` tells
 * @param {Function} onEvents called with how many more events are known of, and how many were read
 * @return {string|null} the DAG that exports any window on demand, if the user may read it
 */
export async function load(isWanted, onAsset, onEvents) {
  const [assets, list] = await Promise.all([
    getAll("assets", "assets", [["order_by", "name"]]),
    getAll("dags", "dags").catch(orNothing([])),
  ]);
  const readable = new Map(list.map((dag) => [dag.dag_id, dag]));
  const loading = new Map();
  const dagOf = (id) => {
    if (!readable.has(id)) return null;
    if (!loading.has(id)) loading.set(id, loadDag(readable.get(id)));
    return loading.get(id);
  };
  const withEvents = assets.filter((asset) => asset.last_asset_event?.id);
  const wanted = withEvents.filter(isWanted);
  const others = withEvents.filter((asset) => !isWanted(asset));
  for (const some of [wanted, others]) {
    await Promise.all(some.map((asset) => loadAsset(asset, dagOf, onAsset, onEvents)));
  }
  return readable.has(ON_DEMAND) ? ON_DEMAND : null;
}

async function loadAsset({ id, name, uri, producing_tasks: producing }, dagOf, onAsset, onEvents) {
  const asset = { id, name, uri, exports: [], tasks: new Set(), dags: [], isWhole: false };
  for (const { dag_id: dag, task_id: task } of producing) asset.tasks.add(keyOfTask(dag, task));
  const exports = new Map();
  const add = (events) => {
    for (const event of events) {
      const done = exportOf(event);
      if (done !== null) exports.set(event.id, done);
    }
  };
  const tell = async () => {
    asset.exports = [...exports.values()].sort((a, b) => a.when - b.when || a.id - b.id);
    for (const { dag, task } of asset.exports) {
      if (dag !== undefined && task !== undefined) asset.tasks.add(keyOfTask(dag, task));
    }
    const ids = new Set([...asset.tasks].map((key) => JSON.parse(key)[0]));
    asset.dags = (await Promise.all([...ids].map(dagOf))).filter((dag) => dag !== null);
    onAsset(asset);
  };
  // The newest first, so that events which arrive meanwhile repeat some and hide none.
  const query = [
    ["asset_id", id],
    ["order_by", "-timestamp"],
  ];
  const { items, total, rest } = await getFirst("assets/events", "asset_events", query);
  add(items);
  if (exports.size === 0) return;
  onEvents(total, items.length);
  asset.isWhole = items.length >= total;
  await tell();
  if (asset.isWhole) return;
  await rest((more) => {
    add(more);
    onEvents(0, more.length);
  });
  asset.isWhole = true;
  await tell();
}

async function loadDag({ dag_id: id, is_paused: isPaused, next_dagrun_run_after: next }) {
  const path = `dags/${encodeURIComponent(id)}`;
  const states = (words) => words.map((word) => ["state", word]);
  const [recent, open, instances] = await Promise.all([
    get(`${path}/dagRuns`, [...NEWEST, ["limit", NEWEST_RUNS]]).catch(orNothing({ dag_runs: [] })),
    getAll(`${path}/dagRuns`, "dag_runs", states(["queued", "running"])).catch(orNothing([])),
    getAll(
      `${path}/dagRuns/~/taskInstances`,
      "task_instances",
      states(TO_LOOK_AT).concat(NEWEST),
    ).catch(orNothing([])),
  ]);
  const runs = new Map([...recent.dag_runs, ...open].map((run) => [run.dag_run_id, runFrom(run)]));
  return {
    id,
    isPaused,
    next: instant(next),
    runs: [...runs.values()],
    instances: instances.map(instanceFrom),
  };
}

/** Return a handler for what the user may not read, or what was removed meanwhile. */
function orNothing(nothing) {
  return (error) => {
    if (error instanceof RefusedError || error instanceof AbsentError) return nothing;
    throw error;
  };
}
