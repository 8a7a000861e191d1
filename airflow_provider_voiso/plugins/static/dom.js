// Elements. Whatever comes from Airflow becomes text or an attribute's value, never markup.

/**
 * Return a new element.
 * @param {Object} properties `class`, `text`, or names of attributes; undefined ones are left out
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (name === "class") made.className = value;
    else if (name === "text") made.textContent = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Return a list of terms and what they mean; pairs without a value are left out. */
export function terms(pairs) {
  const list = element("dl");
  for (const [term, value] of pairs) {
    if (value === undefined || value === "") continue;
    list.append(element("dt", { text: term }), element("dd", { text: value }));
  }
  return list;
}
