// The calendar of an asset: months of days, the newest first.

import { cellElement, mostRecords } from "./cells.js";
import { element } from "./dom.js";
import { useArrowKeys } from "./keys.js";
import { DAY, longDateText, monthText } from "./time.js";

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const WEEK = WEEKDAYS.length;
// The number of the first Monday after 1970-01-01.
const MONDAY = 4;
// More would be narrower than a pixel or two.
const MOST_STRIPES = 48;

/**
 * Return windows by the number of the day in the zone; one that spans several days is in each.
 * @param {number} from first day of interest
 * @param {number} to last day of interest
 */
export function byDay(cells, zone, from, to) {
  const days = new Map();
  for (const cell of cells) {
    const last = Math.min(to, zone.day(cell.end - 1));
    for (let day = Math.max(from, zone.day(cell.start)); day <= last; day += 1) {
      if (!days.has(day)) days.set(day, []);
      days.get(day).push(cell);
    }
  }
  return days;
}

/** @param {Map} days windows by day, from `byDay` */
export function calendar(days) {
  const most = mostRecords([...days.values()]);
  const months = element("div", { class: "months" });
  const numbers = [...days.keys()];
  const oldest = numbers.reduce((a, b) => Math.min(a, b), Infinity);
  let day = numbers.reduce((a, b) => Math.max(a, b), -Infinity);
  while (day >= oldest) {
    const first = firstOfMonth(day);
    months.append(monthTable(first, days, most));
    day = first - 1;
  }
  useArrowKeys(months);
  return months;
}

function firstOfMonth(day) {
  const date = new Date(day * DAY);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth()) / DAY;
}

function monthTable(first, days, most) {
  const name = monthText(first);
  const head = element("tr");
  for (const weekday of WEEKDAYS) head.append(element("th", { scope: "col", text: weekday }));
  const body = element("tbody");
  let row = element("tr");
  for (let empty = 0; empty < column(first); empty += 1) row.append(element("td"));
  for (let day = first; firstOfMonth(day) === first; day += 1) {
    if (column(day) === 0) row = element("tr");
    row.append(element("td", {}, dayCell(day, days.get(day), most)));
    body.append(row);
  }
  const caption = element("caption", { text: name });
  return element("table", { role: "grid" }, caption, element("thead", {}, head), body);
}

function column(day) {
  return (((day - MONDAY) % WEEK) + WEEK) % WEEK;
}

function dayCell(day, cells, most) {
  const number = String(new Date(day * DAY).getUTCDate());
  if (cells === undefined) {
    const text = element("span", { class: "number", text: number });
    return element("span", { class: "cell none" }, text);
  }
  const made = cellElement(cells, most, longDateText(day), number);
  made.dataset.day = day;
  if (cells.length > 1) {
    made.setAttribute("aria-expanded", "false");
    if (cells.length <= MOST_STRIPES) made.append(stripes(cells));
  }
  return made;
}

/** Return the states of the windows of a day, side by side; their text is in the cell's label. */
function stripes(cells) {
  const strip = element("span", { class: "stripes", "aria-hidden": "true" });
  for (const { state } of cells) strip.append(element("i", { class: state }));
  return strip;
}
