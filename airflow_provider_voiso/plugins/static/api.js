// Airflow's REST API, asked with the session, and so with the rights, of whoever is signed in.

/** Airflow's own address; it may be served below a path. */
export const ROOT = new URL("../", location.href.split(/[?#]/)[0]);

export class SignedOutError extends Error {}
export class RefusedError extends Error {}
export class AbsentError extends Error {}

// As many as a browser sends to one server at once.
const AT_ONCE = 6;
// More than Airflow allows unless its [api] maximum_page_limit is raised; it takes what it allows.
const PAGE = 1000;

let running = 0;
const waiting = [];
let authorization = null;

/**
 * GET one path below /api/v2.
 * @param {Array} query pairs of names and values
 * @throws {SignedOutError} if nobody is signed in, or not any more
 * @throws {RefusedError} if the user may not read this
 * @throws {AbsentError} if there is no such thing
 */
export async function get(path, query = []) {
  if (running >= AT_ONCE) await new Promise((resolve) => waiting.push(resolve));
  running += 1;
  try {
    return await answer(path, query);
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

async function answer(path, query) {
  const url = new URL(`api/v2/${path}`, ROOT);
  for (const [name, value] of query) url.searchParams.append(name, value);
  let response = await send(url);
  if (response.status === 401 && authorization === null && storedToken()) {
    authorization = `Bearer ${storedToken()}`;
    response = await send(url);
  }
  if (response.ok) return response.json();
  if (response.status === 401) throw new SignedOutError(path);
  if (response.status === 403) {
    const { detail } = await response.json().catch(() => ({}));
    throw detail === "Invalid JWT token" ? new SignedOutError(path) : new RefusedError(path);
  }
  if (response.status === 404) throw new AbsentError(path);
  throw new Error(`Airflow answered ${response.status} to /api/v2/${path}.`);
}

function send(url) {
  const headers = { Accept: "application/json" };
  if (authorization !== null) headers.Authorization = authorization;
  return fetch(url, { headers, credentials: "same-origin" });
}

/** Return the token that Airflow 3.1 hands to its own page; later releases keep it in a cookie. */
function storedToken() {
  try {
    const cookie = document.cookie.split("; ").find((pair) => pair.startsWith("_token="));
    return localStorage.getItem("token") ?? cookie?.slice("_token=".length) ?? "";
  } catch {
    return "";
  }
}

/**
 * GET the first page of a list.
 * @param {string} key name of the list in each answer
 * @return {Object} `items`, the number `total` of all, and `rest`, which GETs all other pages at
 *     once and calls back with the items of each
 */
export async function getFirst(path, key, query) {
  const page = (offset) => get(path, [...query, ["limit", PAGE], ["offset", offset]]);
  const answer = await page(0);
  const items = answer[key];
  const total = answer.total_entries ?? items.length;
  const rest = async (onItems) => {
    const pages = [];
    for (let offset = items.length; offset < total && items.length > 0; offset += items.length) {
      pages.push(page(offset).then((more) => onItems(more[key])));
    }
    await Promise.all(pages);
  };
  return { items, total, rest };
}

/** GET all items of a list, in no particular order. */
export async function getAll(path, key, query = []) {
  const { items, rest } = await getFirst(path, key, query);
  const all = [...items];
  await rest((more) => all.push(...more));
  return all;
}
