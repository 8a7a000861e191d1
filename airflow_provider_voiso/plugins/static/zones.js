// Time zones to choose from, and the one in which an asset's windows are days.

import { Zone } from "./time.js";

// So many windows tell the zone.
const ENOUGH = 200;

/** The zones of Airflow's own pages, of the browser, and UTC; Airflow's default is UTC. */
const likely = [airflowZone() ?? "UTC", browserZone(), "UTC"].filter(isKnown);

/** Every zone this browser knows, the likely ones first. */
export const ZONES = [...new Set([...likely, ...Intl.supportedValuesOf("timeZone")])];

/** Return the likely zone in which most windows begin at midnight: Airflow tells no DAG's. */
export function fittingZone(exports) {
  const some = exports.slice(-ENOUGH);
  const midnights = (zone) =>
    some.filter(({ start }) => zone.startOfDay(zone.day(start)) === start).length;
  const zones = likely.map((name) => new Zone(name));
  return zones.reduce((best, zone) => (midnights(zone) > midnights(best) ? zone : best));
}

function airflowZone() {
  try {
    return JSON.parse(localStorage.getItem("timezone"));
  } catch {
    // Storage is blocked, or holds something else.
    return null;
  }
}

function browserZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function isKnown(name) {
  return typeof name === "string" && new Zone(name).name === name;
}
