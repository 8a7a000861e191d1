// Days as one stop of the Tab key, inside of which arrow keys move.

const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };

/** @param {Element} grid holds elements with a number of a day as `data-day` */
export function useArrowKeys(grid) {
  const cells = new Map();
  for (const cell of grid.querySelectorAll("[data-day]")) {
    cell.tabIndex = -1;
    cells.set(Number(cell.dataset.day), cell);
  }
  if (cells.size === 0) return;
  const days = [...cells.keys()].sort((a, b) => a - b);
  let current = cells.get(days.at(-1));
  current.tabIndex = 0;
  grid.addEventListener("focusin", ({ target }) => {
    if (target.dataset.day === undefined) return;
    current.tabIndex = -1;
    current = target;
    current.tabIndex = 0;
  });
  grid.addEventListener("keydown", (event) => {
    const to = aim(event, days);
    if (to === undefined) return;
    event.preventDefault();
    cells.get(to).focus();
  });
}

function aim({ key, target }, days) {
  if (key === "Home") return days[0];
  if (key === "End") return days.at(-1);
  if (!(key in STEPS)) return undefined;
  const to = Number(target.dataset.day) + STEPS[key];
  return STEPS[key] < 0 ? days.filter((day) => day <= to).at(-1) : days.find((day) => day >= to);
}
