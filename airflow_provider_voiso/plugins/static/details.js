// What is known of a window, beside the cell that the pointer or the focus is on.

import { element, terms } from "./dom.js";
import { plural, sizeText, STATES, statesText } from "./words.js";

const GAP = 6;
const box = document.getElementById("details");
let shownFor = null;

/** Return what is known of a window as pairs of terms and values. */
export function knownOf(cell, zone) {
  const last = cell.exports.at(-1);
  const pairs = [["Window", `${zone.windowText(cell.start, cell.end)} (${zone.name})`]];
  if (last !== undefined) pairs.push(...exportPairs(cell, last, zone));
  if (cell.attempt !== undefined) pairs.push(...attemptPairs(cell.attempt, zone));
  if (cell.due !== undefined) {
    pairs.push(["Due", `${zone.text(cell.due.after)}, by the schedule of ${cell.due.dag}`]);
  }
  return pairs;
}

function exportPairs(cell, last, zone) {
  const first = cell.exports[0];
  const before = last.before === undefined ? "" : `, ${plural(last.before, "record")} before`;
  const number = cell.exports.length;
  const begin = `first ${zone.text(first.when)} with ${plural(first.records, "record")}`;
  return [
    ["Records", `${plural(last.records, "record")}${before}`],
    ["Size", sizeText(last.bytes)],
    ["Exported", zone.text(last.when)],
    ["Run", last.run ? `${last.dag}, ${last.run}` : "none: the event was created by hand"],
    ["Task", last.task && (last.map < 0 ? last.task : `${last.task} [${last.map}]`)],
    ["Clock", last.clock],
    ["Probes", last.probes?.toString()],
    ["Unfinished", last.unfinished ? plural(last.unfinished, "conversation") : ""],
    ["Exports", number === 1 ? "1" : `${number}, ${begin}`],
  ];
}

function attemptPairs(attempt, zone) {
  const word = attempt.word.replaceAll("_", " ");
  const when = Number.isNaN(attempt.when) ? "" : ` since ${zone.text(attempt.when)}`;
  return [
    [attempt.state === "failed" ? "Failure" : "Attempt", `${word}${when}`],
    ["In the run", `${attempt.dag}, ${attempt.run}`],
  ];
}

function contentOf(cells, zone) {
  if (cells.length === 1) {
    const [cell] = cells;
    const { word, meaning } = STATES[cell.state];
    const title = element("strong", { text: word });
    return [title, element("p", { text: meaning }), terms(knownOf(cell, zone))];
  }
  const records = cells.reduce((sum, { exports }) => sum + (exports.at(-1)?.records ?? 0), 0);
  const pairs = [
    ["Windows", statesText(cells)],
    ["Records", plural(records, "record")],
  ];
  return [element("strong", { text: plural(cells.length, "window") }), terms(pairs)];
}

/**
 * Show details while the pointer or the focus is on a cell inside an element.
 * @param {Function} find returns `{cells, zone}` for a cell's element
 */
export function showDetails(inside, find) {
  const show = ({ target }) => {
    const anchor = target.closest?.("[data-day], [data-part]");
    if (anchor !== null && anchor !== undefined && anchor !== shownFor) place(anchor, find(anchor));
  };
  inside.addEventListener("pointerover", show);
  inside.addEventListener("focusin", show);
  inside.addEventListener("focusout", hide);
  inside.addEventListener("pointerout", ({ relatedTarget }) => {
    // The pointer may rest on the details, too.
    if (!box.contains(relatedTarget) && !shownFor?.contains(relatedTarget)) hide();
  });
}

function place(anchor, { cells, zone }) {
  hide();
  shownFor = anchor;
  anchor.setAttribute("aria-describedby", box.id);
  box.replaceChildren(...contentOf(cells, zone));
  box.hidden = false;
  const at = anchor.getBoundingClientRect();
  const { width, height } = box.getBoundingClientRect();
  const isRoomBelow = at.bottom + GAP + height <= innerHeight || at.top < height + GAP;
  const left = Math.max(GAP, Math.min(at.left, document.documentElement.clientWidth - width - GAP));
  const top = isRoomBelow ? at.bottom + GAP : at.top - height - GAP;
  box.style.left = `${left + scrollX}px`;
  box.style.top = `${top + scrollY}px`;
}

export function hide() {
  shownFor?.removeAttribute("aria-describedby");
  shownFor = null;
  box.hidden = true;
}

box.addEventListener("pointerleave", hide);
addEventListener("keydown", ({ key }) => key === "Escape" && hide());
