// How many windows have which state, with the signs of the calendar: totals and legend in one.

import { recordsOf } from "./cells.js";
import { element } from "./dom.js";
import { countStates, countText, plural, sizeText, STATES } from "./words.js";

/** Return the totals of windows as elements. */
export function totals(cells, zone) {
  const counts = countStates(cells);
  const list = element("ul", { class: "legend" });
  for (const [state, { word, sign, meaning }] of Object.entries(STATES).reverse()) {
    const mark = element("span", { class: `cell ${state} shade-3`, "aria-hidden": "true" });
    mark.append(element("span", { class: "sign", text: sign }));
    const count = element("b", { text: countText(counts[state] ?? 0) });
    list.append(element("li", { title: meaning }, mark, count, ` ${word.toLowerCase()}`));
  }
  return [element("p", { text: sentence(cells, zone) }), list];
}

function sentence(cells, zone) {
  if (cells.length === 0) return "No window lies in this range.";
  const bytes = cells.reduce((sum, { exports }) => sum + (exports.at(-1)?.bytes ?? 0), 0);
  const start = cells.reduce((first, cell) => Math.min(first, cell.start), Infinity);
  const end = cells.reduce((last, cell) => Math.max(last, cell.end), -Infinity);
  const size = `${plural(recordsOf(cells), "record")}, ${sizeText(bytes)}`;
  const range = `from ${zone.text(start)} to ${zone.text(end)} (${zone.name})`;
  return `${plural(cells.length, "window")} with ${size}, ${range}.`;
}
