// Runs that have not exported (yet): which window each of them is about.
//
// Airflow does not say so. It is told by the task's rendered arguments, by what the same task of
// the same run exported before, or by what the nearest run exported, by a clock in the zone.

import { isUsable } from "./manifest.js";
import { instant, MINUTE } from "./time.js";

const FAILED = new Set(["failed", "upstream_failed"]);
const UNDER_WAY = new Set(["running", "queued"]);
// A scheduler may take that long to create a run that is due.
const LATE = 5 * MINUTE;
const MOST_DUE = 1000;

const taskKey = ({ dag, task }) => JSON.stringify([dag, task]);
const partKey = ({ dag, task, map }) => JSON.stringify([dag, task, map]);
const runKey = ({ dag, task, map, run }) => JSON.stringify([dag, task, map, run]);

/** What each part of each task of an asset exported, by the run that did it. */
class Habits {
  constructor(exports, dags, zone) {
    this.zone = zone;
    this.parts = new Map();
    this.byRun = new Map();
    const runs = new Map();
    for (const dag of dags) {
      for (const run of dag.runs) runs.set(JSON.stringify([dag.id, run.id]), run);
    }
    for (const done of exports) {
      if (done.dag === undefined || done.run === undefined) continue;
      this.byRun.set(runKey(done), done);
      const run = runs.get(JSON.stringify([done.dag, done.run]));
      if (run !== undefined && run.isRegular) this.learn(done, run);
    }
  }

  learn(done, run) {
    const key = partKey(done);
    if (!this.parts.has(key)) this.parts.set(key, { part: done, seen: [] });
    const tick = this.zone.clock(run.after);
    const [start, end] = [this.zone.clock(done.start) - tick, this.zone.clock(done.end) - tick];
    this.parts.get(key).seen.push({ tick, start, end });
  }

  /** Return what a run of that time exports, or null if no such part has been seen. */
  window(part, after) {
    const seen = this.parts.get(partKey(part))?.seen;
    if (seen === undefined) return null;
    const tick = this.zone.clock(after);
    const distance = (one) => Math.abs(one.tick - tick);
    const near = seen.reduce((best, one) => (distance(one) < distance(best) ? one : best));
    return { start: this.zone.at(tick + near.start), end: this.zone.at(tick + near.end) };
  }
}

/**
 * Return the attempts at windows of an asset, and the windows that are overdue.
 * @param {Object} asset with `exports`, the oldest first, its `tasks`, and `dags` that run them
 * @return {Object} `placed` attempts with a window, `unplaced` ones without, and `due` windows
 */
export function attemptsAt(asset, zone, now) {
  const { dags } = asset;
  const habits = new Habits(asset.exports, dags, zone);
  const placed = [];
  const unplaced = [];
  for (const attempt of dags.flatMap((dag) => attemptsOf(dag, asset, habits))) {
    const window = attempt.window ?? windowOf(attempt, habits);
    if (window === null || !isUsable(window.start, window.end)) unplaced.push(attempt);
    else placed.push({ ...attempt, ...window });
  }
  return { placed, unplaced, due: dags.flatMap((dag) => dueWindows(dag, habits, now)) };
}

function attemptsOf(dag, asset, habits) {
  const isOurs = (one) => asset.tasks.has(taskKey(one));
  const instances = dag.instances.filter(isOurs);
  const windows = new Map(dag.runs.map((run) => [run.id, run.window]));
  const attempts = instances.map((one) => ({
    ...one,
    state: FAILED.has(one.word) ? "failed" : "running",
    window: one.window ?? windows.get(one.run),
  }));
  // Tasks that have not begun have no state yet.
  const told = new Set(instances.map(runKey));
  const parts = [...habits.parts.values()].map(({ part }) => part);
  for (const run of dag.runs.filter(({ word }) => UNDER_WAY.has(word))) {
    for (const { task, map } of parts.filter((part) => part.dag === dag.id)) {
      const part = { dag: dag.id, task, map, run: run.id };
      const done = habits.byRun.get(runKey(part));
      const isDone = done !== undefined && done.when >= run.began;
      if (isDone || told.has(runKey(part))) continue;
      const { word, after, isRegular, window, began: when } = run;
      attempts.push({ ...part, word, after, isRegular, window, when, state: "running" });
    }
  }
  return attempts;
}

function windowOf(attempt, habits) {
  const done = habits.byRun.get(runKey(attempt));
  if (done !== undefined) return { start: done.start, end: done.end };
  return attempt.isRegular ? habits.window(attempt, attempt.after) : null;
}

/** Return the windows of runs that the schedule promised and that have not come. */
function dueWindows(dag, habits, now) {
  if (dag.isPaused || !(dag.next < now - LATE)) return [];
  const due = [];
  for (const { part } of habits.parts.values()) {
    if (part.dag !== dag.id) continue;
    let after = dag.next;
    while (after < now - LATE && due.length < MOST_DUE) {
      const window = habits.window(part, after);
      if (!isUsable(window.start, window.end)) break;
      due.push({ ...window, after, dag: dag.id });
      // One run follows another as one window follows another.
      const { zone } = habits;
      const length = zone.clock(window.end) - zone.clock(window.start);
      after = zone.at(zone.clock(after) + length);
    }
  }
  return due;
}

/** Return what is known of a DAG's run, from Airflow's answer. */
export function runFrom(answer) {
  const conf = answer.conf ?? {};
  const began = instant(answer.start_date ?? answer.queued_at ?? answer.run_after);
  return {
    id: answer.dag_run_id,
    word: answer.state,
    after: instant(answer.run_after),
    began,
    // Runs by hand and by assets keep no habits.
    isRegular: answer.run_type === "scheduled" || answer.run_type === "backfill",
    window: windowFrom(conf),
  };
}

/** Return what is known of a task that failed or is under way, from Airflow's answer. */
export function instanceFrom(answer) {
  const type = String(answer.dag_run_id).split("__")[0];
  return {
    dag: answer.dag_id,
    task: answer.task_id,
    map: answer.map_index,
    run: answer.dag_run_id,
    word: answer.state,
    after: instant(answer.run_after),
    when: instant(answer.end_date ?? answer.start_date ?? answer.run_after),
    isRegular: type === "scheduled" || type === "backfill",
    window: windowFrom(answer.rendered_fields ?? {}),
  };
}

function windowFrom(fields) {
  const [start, end] = [instant(fields.window_start), instant(fields.window_end)];
  return isUsable(start, end) ? { start, end } : undefined;
}

export const keyOfTask = (dag, task) => taskKey({ dag, task });
