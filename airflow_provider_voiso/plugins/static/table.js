// The windows of an asset as a table, the newest first, a page at a time.

import { element } from "./dom.js";
import { runPage } from "./links.js";
import { COLUMNS } from "./rows.js";
import { countText } from "./words.js";

const PAGE = 100;

/** @param {string} name of the asset, for the caption */
export function windowTable(cells, zone, name) {
  const newest = [...cells].reverse();
  const caption = element("caption");
  const head = element("tr");
  for (const [heading] of COLUMNS) head.append(element("th", { scope: "col", text: heading }));
  const body = element("tbody");
  const table = element("table", {}, caption, element("thead", {}, head), body);
  const scroller = element("div", { class: "scroller", tabindex: "0", role: "region" }, table);
  scroller.setAttribute("aria-label", `Windows of ${name}`);
  const show = (from) => {
    const shown = newest.slice(from, from + PAGE);
    body.replaceChildren(...shown.map((cell) => row(cell, zone)));
    const until = countText(from + shown.length);
    const all = countText(newest.length);
    caption.textContent = `Windows ${countText(from + 1)} to ${until} of ${all}, in ${zone.name}`;
  };
  show(0);
  const made = element("div", { class: "table" }, scroller);
  if (newest.length > PAGE) made.append(pager(newest.length, show));
  return made;
}

function row(cell, zone) {
  const made = element("tr");
  for (const [heading, value, shown = value] of COLUMNS) {
    const content = shown(cell, zone) ?? "";
    const by = cell.attempt ?? cell.exports.at(-1);
    const isLink = heading === "Run" && by?.run !== undefined && by.dag !== undefined;
    const link = isLink ? element("a", { href: runPage(by.dag, by.run), text: content }) : content;
    const kind = typeof content === "number" ? "count" : undefined;
    made.append(element("td", { class: kind }, typeof link === "number" ? countText(link) : link));
  }
  return made;
}

function pager(total, show) {
  let from = 0;
  const newer = element("button", { type: "button", text: "Newer", disabled: "" });
  const older = element("button", { type: "button", text: "Older" });
  const go = (step) => {
    from += step;
    show(from);
    newer.disabled = from === 0;
    older.disabled = from + PAGE >= total;
  };
  newer.addEventListener("click", () => go(-PAGE));
  older.addEventListener("click", () => go(PAGE));
  return element("p", { class: "pager" }, newer, older);
}
