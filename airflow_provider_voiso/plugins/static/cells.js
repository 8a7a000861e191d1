// One cell of a calendar: a day, or a window inside of a day.

import { element } from "./dom.js";
import { runPage } from "./links.js";
import { plural, STATES, statesText, worstState } from "./words.js";

const SHADES = 5;

export const recordsOf = (cells) =>
  cells.reduce((sum, { exports }) => sum + (exports.at(-1)?.records ?? 0), 0);

/** Return the largest number of records of several cells, for the shade; at least 1. */
export const mostRecords = (lists) =>
  lists.reduce((most, cells) => Math.max(most, recordsOf(cells)), 1);

/**
 * Return the element of a cell: a link to the run of its only window, else a button.
 * @param {Array} cells its windows
 * @param {number} most records of the cell with the darkest shade
 * @param {string} title what it stands for: a date, or a window
 */
export function cellElement(cells, most, title, text) {
  const state = worstState(cells);
  const href = cells.length === 1 ? runOf(cells[0]) : undefined;
  const properties = {
    class: `cell ${state} shade-${shade(recordsOf(cells), most)}`,
    "aria-label": `${title}: ${summary(cells)}`,
  };
  const made =
    href === undefined
      ? element("button", { type: "button", ...properties })
      : element("a", { href, ...properties });
  made.append(
    element("span", { class: "number", text }),
    element("span", { class: "sign", text: STATES[state].sign }),
  );
  return made;
}

/** Return the page of the run behind a window's state; a hole has none, nor a hand-made event. */
function runOf({ attempt, exports }) {
  const by = attempt ?? exports.at(-1);
  return by?.dag === undefined || by.run === undefined ? undefined : runPage(by.dag, by.run);
}

function shade(records, most) {
  return records === 0 ? 0 : Math.min(SHADES, Math.ceil((SHADES * records) / most));
}

function summary(cells) {
  const records = plural(recordsOf(cells), "record");
  if (cells.length > 1) {
    return `${plural(cells.length, "window")}, ${statesText(cells)}, ${records}`;
  }
  const { word } = STATES[cells[0].state];
  return cells[0].exports.length > 0 ? `${word}, ${records}` : word;
}
