// The windows of an asset and the state of each: what was exported, tried, or left out.

import { attemptsAt } from "./attempts.js";

// A hole in short windows is shown piece by piece up to here, then day by day.
const MOST_PIECES = 2000;

/**
 * Return an asset's windows in the order of time, and the attempts whose window is unknown.
 *
 * Each cell has `start`, `end`, `state`, `exports`, the oldest first, and the `attempt` or the
 * `due` run behind its state.
 * @param {Object} asset with `exports`, the oldest first, its `tasks` and `dags`, and `isWhole`,
 *     before which a hole may only be what is still to be read
 */
export function windowsOf(asset, zone, now) {
  const cells = exportedCells(asset.exports);
  const { placed, unplaced, due } = attemptsAt(asset, zone, now);
  const exported = sorted(asset.exports);
  for (const attempt of placed) addAttempt(cells, attempt, exported);
  if (!asset.isWhole) return { cells: sorted([...cells.values()]), unplaced };
  const known = sorted([...cells.values()]);
  for (const window of sorted(due)) {
    if (!isCovered(window, known)) cells.set(key(window), { ...missing(window), due: window });
  }
  const covered = sorted([...cells.values()]);
  const holes = gaps(covered).flatMap((gap) => pieces(gap, zone));
  return { cells: sorted([...covered, ...holes.map(missing)]), unplaced };
}

const key = ({ start, end }) => `${start} ${end}`;
const sorted = (windows) => [...windows].sort((a, b) => a.start - b.start || a.end - b.end);
const missing = ({ start, end }) => ({ start, end, exports: [], state: "missing" });

function exportedCells(exports) {
  const cells = new Map();
  for (const done of exports) {
    const { start, end } = done;
    if (!cells.has(key(done))) cells.set(key(done), { start, end, exports: [] });
    cells.get(key(done)).exports.push(done);
  }
  for (const cell of cells.values()) cell.state = stateOf(cell.exports);
  return cells;
}

function stateOf(exports) {
  if (hasChanged(exports)) return "changed";
  return exports.at(-1).records === 0 ? "empty" : "whole";
}

/** Tell whether a later export found other records than the one before it at the same place. */
function hasChanged(exports) {
  const last = new Map();
  return exports.some((done) => {
    const before = last.get(done.place);
    last.set(done.place, done);
    if (before === undefined) return false;
    const differs = before.records !== done.records || before.bytes !== done.bytes;
    return done.changed ?? differs;
  });
}

function addAttempt(cells, attempt, exported) {
  if (attempt.state === "failed") {
    const later = exported.filter(({ when }) => when >= attempt.when);
    if (isCovered(attempt, later)) return;
  }
  const { start, end, state } = attempt;
  const cell = cells.get(key(attempt)) ?? { start, end, exports: [] };
  // Of several attempts the newest counts.
  if (cell.attempt !== undefined && cell.attempt.when > attempt.when) return;
  cells.set(key(attempt), { ...cell, state, attempt });
}

/** Tell whether windows, in the order of time, leave no hole in one. */
function isCovered({ start, end }, windows) {
  let reached = start;
  for (const window of windows) {
    if (window.start > reached || reached >= end) break;
    reached = Math.max(reached, window.end);
  }
  return reached >= end;
}

/** Return what lies between windows, with the window before it. */
function gaps(windows) {
  const found = [];
  let last = null;
  for (const window of windows) {
    if (last !== null && window.start > last.end) {
      found.push({ start: last.end, end: window.start, before: last });
    }
    if (last === null || window.end > last.end) last = window;
  }
  return found;
}

/** Return a hole as windows as long as the one before it, if it consists of such. */
function pieces(hole, zone) {
  const { start, end, before } = hole;
  if (isMidnight(before.start, zone) && isMidnight(before.end, zone)) {
    return days(hole, zone, zone.day(before.end) - zone.day(before.start));
  }
  const length = before.end - before.start;
  const number = (end - start) / length;
  if (!Number.isInteger(number) || number > MOST_PIECES) return days(hole, zone, 1);
  return Array.from({ length: number }, (_, index) => ({
    start: start + index * length,
    end: start + (index + 1) * length,
  }));
}

function isMidnight(at, zone) {
  return zone.startOfDay(zone.day(at)) === at;
}

/** Return a hole as pieces of so many days of the zone; the first and the last may be shorter. */
function days({ start, end }, zone, number) {
  const found = [];
  for (let from = start; from < end; ) {
    const next = zone.startOfDay(zone.day(from) + number);
    const until = next > from ? Math.min(next, end) : end;
    found.push({ start: from, end: until });
    from = until;
  }
  return found;
}
