/** Small helpers. @module */

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} id @returns {any} */
export const by = (id) => document.getElementById(id);

/** @param {string} name @param {Record<string, string | number>} attributes @returns {SVGElement} */
export function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

/** @param {string} name @param {string} text @param {string} [kind] */
export function element(name, text, kind) {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

/** Ask the desk. @param {string} path @param {RequestInit} [options] @returns {Promise<any>} */
export async function ask(path, options = {}) {
  const answer = await fetch(path, { cache: "no-store", ...options });
  if (answer.status === 204) return null;
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(told.detail ?? answer.statusText), { status: answer.status });
  }
  return answer.json();
}
