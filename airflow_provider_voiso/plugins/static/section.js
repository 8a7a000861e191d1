// One asset on the page: its name, its DAGs, and its windows as a calendar or a table.

import { byDay, calendar } from "./calendar.js";
import { dayPanel } from "./day.js";
import { hide, showDetails } from "./details.js";
import { element } from "./dom.js";
import { showHole } from "./hole.js";
import { assetPage, dagPage, runPage } from "./links.js";
import { windowTable } from "./table.js";
import { plural, statesText } from "./words.js";

/**
 * Return the section of an asset.
 * @param {Object} shown the `asset`, its `cells` in the range, `unplaced` attempts, and its `zone`
 * @param {Object} view `isTable`, and the first and the last day of the range as `from` and `to`
 * @param {Function} onDemand returns the DAG that exports any window, or null
 */
export function assetSection({ asset, cells, unplaced, zone }, view, onDemand) {
  const title = element("a", { href: assetPage(asset.id), text: asset.name });
  const isNamedByUri = asset.uri === asset.name;
  const uri = isNamedByUri ? undefined : element("p", { class: "uri", text: asset.uri });
  const made = element(
    "section",
    { class: "asset", "aria-label": asset.name },
    element("h2", {}, title),
    uri,
    element("p", { class: "dags" }, ...asset.dags.flatMap(dagWords)),
    element("p", { class: "states", text: statesText(cells) || "No window lies in this range." }),
    unplaced.length > 0 ? unplacedWords(unplaced) : undefined,
  );
  if (cells.length === 0) return made;
  if (view.isTable) made.append(windowTable(cells, zone, asset.name));
  else made.append(...daysOf(cells, zone, view, { asset, onDemand }));
  return made;
}

function dagWords(dag) {
  const link = element("a", { href: dagPage(dag.id), text: dag.id });
  return ["DAG ", link, dag.isPaused ? " is paused: no run of it comes by itself. " : " "];
}

function unplacedWords(attempts) {
  const links = attempts.flatMap(({ dag, run, task, word }) => [
    " ",
    element("a", { href: runPage(dag, run), text: `${run}, ${task}` }),
    ` (${word.replaceAll("_", " ")})`,
  ]);
  const text = `${plural(attempts.length, "attempt")} at windows that are not known:`;
  return element("p", { class: "unplaced" }, text, ...links);
}

function daysOf(cells, zone, view, { asset, onDemand }) {
  const days = byDay(cells, zone, view.from, view.to);
  const months = calendar(days);
  const place = element("div", { class: "place" });
  let opened = null;

  const close = () => {
    opened.setAttribute("aria-expanded", "false");
    place.replaceChildren();
    opened.focus();
    opened = null;
  };
  const open = (day, cell) => {
    opened?.setAttribute("aria-expanded", "false");
    opened = cell;
    opened.setAttribute("aria-expanded", "true");
    place.replaceChildren(dayPanel(day, days.get(day), zone, close));
    hide();
    place.querySelector("h3").focus();
  };
  const cellsOf = ({ dataset: { day, part } }) => {
    if (day !== undefined) return days.get(Number(day));
    return [days.get(Number(opened.dataset.day))[Number(part)]];
  };
  const box = element("div", { class: "days" }, place, months);
  showDetails(box, (target) => ({ cells: cellsOf(target), zone }));
  box.addEventListener("click", ({ target }) => {
    const cell = target.closest("button.cell");
    if (cell === null) return;
    const within = cellsOf(cell);
    if (within.length > 1) open(Number(cell.dataset.day), cell);
    else showHole(within[0], zone, { onDemand: onDemand(), dags: asset.dags });
  });
  return [box];
}
