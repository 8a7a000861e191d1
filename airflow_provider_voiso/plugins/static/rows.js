// Windows as rows: for the table, and for CSV.

import { iso } from "./time.js";
import { sizeText, STATES } from "./words.js";

/** Every column: its heading, its value for a program, and for a person where that differs. */
export const COLUMNS = [
  ["State", ({ state }) => STATES[state].word],
  ["Window start", ({ start }) => iso(start), ({ start }, zone) => zone.text(start)],
  ["Window end", ({ end }) => iso(end), ({ end }, zone) => zone.text(end)],
  ["Records", ({ exports }) => exports.at(-1)?.records],
  ["Bytes", bytes, (cell) => sizeText(bytes(cell))],
  ["Exported", (cell) => when(cell, iso), (cell, zone) => when(cell, (at) => zone.text(at))],
  ["Exports", ({ exports }) => exports.length],
  ["First records", ({ exports }) => exports[0]?.records],
  ["DAG", (cell) => by(cell)?.dag],
  ["Run", (cell) => by(cell)?.run],
  ["Task", (cell) => by(cell)?.task],
  ["Clock", ({ exports }) => exports.at(-1)?.clock],
  ["Probes", ({ exports }) => exports.at(-1)?.probes],
];

const by = ({ attempt, exports }) => attempt ?? exports.at(-1);

function bytes({ exports }) {
  return exports.at(-1)?.bytes;
}

function when({ exports }, show) {
  return exports.length > 0 ? show(exports.at(-1).when) : undefined;
}

// A spreadsheet takes text for a formula that begins so; an apostrophe in front makes it text.
const FORMULA = /^[\s]*[=+\-@\t\r\n＝＋－＠]/u;
const QUOTED = /[",\r\n]/;

/**
 * Return windows as CSV.
 * @param {Array} assets each with `name`, `uri` and `cells`
 */
export function csvOf(assets) {
  const lines = [["Asset", "URI", ...COLUMNS.map(([heading]) => heading)]];
  for (const { name, uri, cells } of assets) {
    for (const cell of cells) lines.push([name, uri, ...COLUMNS.map(([, value]) => value(cell))]);
  }
  return lines.map((line) => `${line.map(csvCell).join(",")}\r\n`).join("");
}

function csvCell(value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
