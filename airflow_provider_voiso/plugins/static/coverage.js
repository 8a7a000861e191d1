// The page: what it shows is chosen above, read from Airflow once, and drawn again for each choice.

import { RefusedError, SignedOutError } from "./api.js";
import { isAsset, readChoice, useControls } from "./controls.js";
import { element } from "./dom.js";
import { followLinksOutside, leaveFor, signInPage } from "./links.js";
import { load } from "./load.js";
import { csvOf } from "./rows.js";
import { assetSection } from "./section.js";
import { totals } from "./totals.js";
import { Zone } from "./time.js";
import { windowsOf } from "./windows.js";
import { countText, plural } from "./words.js";
import { fittingZone } from "./zones.js";

const REFUSED =
  "You may not read assets in this Airflow, so that there is nothing to show here. " +
  "Ask whoever manages its users for the right to read assets.";
const NONE = "No asset of this Airflow has an event with a manifest of a Voiso export yet.";

const main = document.querySelector("main");
const status = document.getElementById("status");
const assetsBox = document.getElementById("assets");
const totalsBox = document.getElementById("totals");
const assets = new Map();
const shown = new Map();
const events = { known: 0, read: 0 };
const now = Date.now();
let onDemand = null;
let choice = null;
let controls = null;

function showAsset(asset) {
  const { id } = asset;
  const isChosen = choice.asset === "" || isAsset(asset, choice.asset);
  shown.get(id)?.section.remove();
  shown.delete(id);
  if (!isChosen) return;
  const zone = choice.zone === "" ? fittingZone(asset.exports) : new Zone(choice.zone);
  const { cells: all, unplaced } = windowsOf(asset, zone, now);
  const { from, to } = choice.days(zone, now);
  const cells = all.filter(({ start, end }) => zone.day(end - 1) >= from && zone.day(start) <= to);
  const about = { asset, cells, unplaced, zone };
  const view = { isTable: choice.view === "table", from, to };
  const section = assetSection(about, view, () => onDemand);
  shown.set(id, { ...about, section });
  const byName = [...shown.values()].sort((a, b) => a.asset.name.localeCompare(b.asset.name));
  const next = byName[byName.findIndex((one) => one.asset === asset) + 1];
  assetsBox.insertBefore(section, next?.section ?? null);
}

function showTotals() {
  const sections = [...shown.values()];
  totalsBox.hidden = sections.length === 0;
  const names = new Set(sections.map(({ zone }) => zone.name));
  const zone = names.size === 1 ? sections[0].zone : new Zone("UTC");
  const cells = sections.flatMap((section) => section.cells);
  totalsBox.replaceChildren(totalsBox.firstElementChild, ...totals(cells, zone));
}

function showAll() {
  for (const asset of assets.values()) showAsset(asset);
  showTotals();
}

function downloadCsv() {
  const rows = [...shown.values()].map(({ asset: { name, uri }, cells }) => ({ name, uri, cells }));
  const url = URL.createObjectURL(new Blob([csvOf(rows)], { type: "text/csv" }));
  element("a", { href: url, download: "voiso-coverage.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 0);
}

function summary() {
  if (assets.size === 0) return NONE;
  const sentence = `${plural(assets.size, "asset")} with windows.`;
  if (shown.size > 0) return sentence;
  return `${sentence} The one that the address names is not among them.`;
}

async function start() {
  followLinksOutside();
  choice = readChoice();
  controls = useControls(choice, showAll, downloadCsv);
  try {
    onDemand = await load(
      (asset) => isAsset(asset, choice.asset),
      (asset) => {
        assets.set(asset.id, asset);
        controls.addAsset(asset);
        showAsset(asset);
        showTotals();
      },
      (known, read) => {
        events.known += known;
        events.read += read;
        const [all, done] = [countText(events.known), countText(events.read)];
        status.textContent = `Read ${done} of ${all} events …`;
      },
    );
    status.textContent = summary();
  } catch (error) {
    if (error instanceof SignedOutError) leaveFor(signInPage());
    else if (error instanceof RefusedError) main.replaceChildren(element("p", { text: REFUSED }));
    else status.textContent = `This page cannot read from Airflow: ${error.message}`;
  }
  main.setAttribute("aria-busy", "false");
}

start();
