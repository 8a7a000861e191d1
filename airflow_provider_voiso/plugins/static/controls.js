// What to show: chosen in the form, and kept in the page's address so that it can be passed on.

import { element } from "./dom.js";
import { dayNumber } from "./time.js";
import { ZONES } from "./zones.js";

const NAMES = ["asset", "range", "from", "to", "zone", "view"];
const form = document.querySelector(".controls");

/** The choice as the address has it; `days` returns the first and the last day of the range. */
export function readChoice() {
  const query = new URLSearchParams(location.search);
  const choice = Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
  if (choice.from !== "" || choice.to !== "") choice.range = "dates";
  choice.days = (zone, now) => {
    const today = zone.day(now);
    if (choice.range === "dates") {
      return { from: dayNumber(choice.from) ?? -Infinity, to: dayNumber(choice.to) ?? Infinity };
    }
    const length = Number(choice.range);
    return { from: length > 0 ? today - length : -Infinity, to: Infinity };
  };
  return choice;
}

/**
 * Fill the form with a choice, and keep both and the address the same.
 * @param {Function} onChange called when something else is chosen
 * @param {Function} onCsv called for a download
 */
export function useControls(choice, onChange, onCsv) {
  for (const name of ZONES) form.elements.zone.append(element("option", { text: name }));
  for (const name of NAMES) if (name !== "asset") form.elements[name].value = choice[name];
  if (form.elements.view.value === "") form.elements.view.value = "calendar";
  if (form.elements.range.value !== choice.range) form.elements.range.value = "";
  const showDates = () => {
    const isByDates = form.elements.range.value === "dates";
    for (const name of ["from", "to"]) form.elements[name].parentElement.hidden = !isByDates;
  };
  showDates();
  form.addEventListener("change", () => {
    showDates();
    for (const name of NAMES) choice[name] = form.elements[name].value;
    if (choice.range !== "dates") choice.from = choice.to = "";
    remember(choice);
    onChange();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.elements.csv.addEventListener("click", onCsv);
  return { addAsset: (asset) => addAsset(asset, choice) };
}

/** Tell whether an asset is meant: the form has its id, links have its URI or its name. */
export function isAsset({ id, name, uri }, meant) {
  return [String(id), uri, name].includes(meant);
}

function addAsset(asset, choice) {
  const select = form.elements.asset;
  const value = String(asset.id);
  if ([...select.options].some((option) => option.value === value)) return;
  select.append(element("option", { value, text: asset.name }));
  if (isAsset(asset, choice.asset)) select.value = value;
}

function remember(choice) {
  const url = new URL(location.href);
  for (const name of NAMES) {
    const isPlain = choice[name] === "" || (name === "view" && choice[name] === "calendar");
    if (isPlain) url.searchParams.delete(name);
    else url.searchParams.set(name, choice[name]);
  }
  history.replaceState(null, "", url);
}
