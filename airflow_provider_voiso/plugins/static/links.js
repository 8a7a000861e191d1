// Addresses in Airflow's own pages, and how to get there from inside its frame.

import { ROOT } from "./api.js";

const DAGS = "dags";

function address(...parts) {
  return new URL(parts.map(encodeURIComponent).join("/"), ROOT).href;
}

export const assetPage = (id) => address("assets", String(id));
export const dagPage = (dag) => address(DAGS, dag);
export const runPage = (dag, run) => address(DAGS, dag, "runs", run);

/** Return the sign-in page, which leads back to where the user is. */
export function signInPage() {
  const url = new URL("api/v2/auth/login", ROOT);
  url.searchParams.set("next", outermost().location.href);
  return url.href;
}

/** Leave this page, and Airflow's frame if the page stands in it. */
export function leaveFor(url) {
  open(url, false);
}

/**
 * Let links inside of Airflow's frame lead the whole window, which its sandbox denies to them; the
 * one back to Airflow is not needed there.
 */
export function followLinksOutside() {
  if (outermost() === window) return;
  document.querySelector(".home").hidden = true;
  const follow = (event) => {
    const link = event.target.closest("a[href]");
    if (link === null || link.hasAttribute("download")) return;
    event.preventDefault();
    open(link.href, event.button === 1 || event.ctrlKey || event.metaKey || event.shiftKey);
  };
  document.addEventListener("click", follow);
  document.addEventListener("auxclick", (event) => event.button === 1 && follow(event));
}

function open(url, inNewTab) {
  const { document: outside } = outermost();
  const link = outside.createElement("a");
  link.href = url;
  if (inNewTab) Object.assign(link, { target: "_blank", rel: "noopener" });
  outside.body.append(link);
  link.click();
  link.remove();
}

/** Return Airflow's window around the frame, or this one; a foreign page cannot frame this one. */
function outermost() {
  try {
    return window.parent.document ? window.parent : window;
  } catch {
    return window;
  }
}
