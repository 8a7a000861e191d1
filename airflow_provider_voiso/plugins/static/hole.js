// What to do about a window that no run leads to: export it by hand, or by a backfill.

import { element, terms } from "./dom.js";
import { dagPage } from "./links.js";
import { knownOf } from "./details.js";
import { iso } from "./time.js";
import { STATES } from "./words.js";

/**
 * Show a window that has no run, and how to export it.
 * @param {Object} ways `onDemand`: id of the DAG that exports any window, or null; `dags`: those
 *     that export to the asset
 */
export function showHole(cell, zone, ways) {
  const { word, meaning } = STATES[cell.state];
  const title = element("h2", { id: "hole-title", text: word });
  const close = element("button", { type: "button", text: "Close" });
  const known = [element("p", { text: meaning }), terms(knownOf(cell, zone))];
  const help = cell.state === "missing" ? wayOut(cell, ways) : [];
  const content = [title, ...known, ...help, close];
  const dialog = element("dialog", { "aria-labelledby": title.id }, ...content);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function wayOut({ start, end }, { onDemand, dags }) {
  if (onDemand !== null) {
    const values = [value("window_start", iso(start)), value("window_end", iso(end))];
    const url = new URL(dagPage(onDemand));
    url.searchParams.set("window_start", iso(start));
    url.searchParams.set("window_end", iso(end));
    return [
      element("p", { text: `To export it, open ${onDemand}, press Trigger and fill in:` }),
      element("ul", {}, ...values),
      element("p", {}, way(url.href, `Open ${onDemand}`)),
    ];
  }
  if (dags.length === 0) {
    return [element("p", { text: "You may read no DAG that exports to this asset." })];
  }
  const text = "To export it, open the DAG, press Trigger, choose Backfill and the dates of runs.";
  const ways = dags.map(({ id }) => element("li", {}, way(dagPage(id), `Open ${id}`)));
  return [element("p", { text }), element("ul", {}, ...ways)];
}

function way(href, text) {
  return element("a", { href, class: "way", text });
}

function value(name, text) {
  const copy = element("button", { type: "button", text: "Copy", "aria-label": `Copy ${name}` });
  const told = element("span", { role: "status" });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      told.textContent = " Copied.";
    } catch {
      told.textContent = " The browser does not allow it: select the text.";
    }
  });
  const code = element("code", { text });
  return element("li", {}, `${name} `, code, " ", copy, told);
}
