// The states of a window, and numbers, as a person reads them.

/** Every state, first what asks most for a look, with its sign, which needs no colour. */
export const STATES = {
  failed: { word: "Failed", sign: "✕", meaning: "The last run failed." },
  missing: { word: "Missing", sign: "!", meaning: "No export, though it should have come." },
  running: { word: "Running", sign: "▶", meaning: "A run is under way." },
  changed: { word: "Changed", sign: "Δ", meaning: "Later exports found other records." },
  empty: { word: "Empty", sign: "∅", meaning: "Exported; Voiso has no records there." },
  whole: { word: "Whole", sign: "✓", meaning: "Exported, and the same ever since." },
};

const number = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

export const countText = (count) => number.format(count);
export const shortCountText = (count) => short.format(count);

export function plural(count, word) {
  return `${countText(count)} ${word}${count === 1 ? "" : "s"}`;
}

export function sizeText(bytes) {
  if (bytes === undefined) return "";
  let [size, unit] = [bytes, 0];
  while (size >= 1000 && unit < UNITS.length - 1) [size, unit] = [size / 1000, unit + 1];
  return `${unit === 0 ? countText(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

/** Return how many cells have each state, as text: "22 whole, 1 missing". */
export function statesText(cells) {
  const counts = countStates(cells);
  const words = Object.keys(STATES).filter((state) => counts[state]);
  return words.map((state) => `${countText(counts[state])} ${state}`).join(", ");
}

export function countStates(cells) {
  const counts = {};
  for (const { state } of cells) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

/** Return the state of several windows together: what asks most for a look. */
export function worstState(cells) {
  const counts = countStates(cells);
  const asking = ["failed", "missing", "running", "changed"].find((state) => counts[state]);
  return asking ?? (counts.whole ? "whole" : "empty");
}
