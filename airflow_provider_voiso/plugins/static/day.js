// The windows inside of a day: hours and parts.

import { cellElement, mostRecords, recordsOf } from "./cells.js";
import { element } from "./dom.js";
import { longDateText } from "./time.js";
import { shortCountText } from "./words.js";

/** @param {Function} onClose called when the user closes it */
export function dayPanel(day, cells, zone, onClose) {
  const name = longDateText(day);
  const most = mostRecords(cells.map((cell) => [cell]));
  const close = element("button", { type: "button", class: "close", text: "Close" });
  close.addEventListener("click", onClose);
  const list = element("ol", { class: "parts" });
  cells.forEach((cell, index) => {
    const title = zone.windowText(cell.start, cell.end);
    const made = cellElement([cell], most, title, clockText(cell, day, zone));
    made.dataset.part = index;
    const records = cell.exports.length > 0 ? shortCountText(recordsOf([cell])) : "";
    made.append(element("span", { class: "records", text: records }));
    list.append(element("li", {}, made));
  });
  const title = element("h3", { text: name, tabindex: "-1" });
  const panel = element("section", { class: "day", "aria-label": name }, title, close, list);
  panel.addEventListener("keydown", ({ key }) => key === "Escape" && onClose());
  return panel;
}

function clockText({ start }, day, zone) {
  const text = zone.text(start);
  return zone.day(start) === day ? text.slice(text.indexOf(" ") + 1) : text;
}
