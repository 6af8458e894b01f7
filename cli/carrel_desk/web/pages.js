/** The pages of the desk: which there are, how far they are, and the one that is looked at. @module */
import { ask, by, element } from "./dom.js";
import { readQueue } from "./changes.js";
import { desk, doubtful, isSeen, mark, notice, refuse, text, view, warn } from "./desk.js";
import { unkept } from "./keeper.js";
import { showAround, showLine } from "./line.js";
import { say } from "./strings.js";
/** @typedef {import("./desk.js").Page} Page */

const MOST_WARNINGS = 3;
/** Pages that were not read yet when this window last looked. @type {Set<string>} */
let unread = new Set();

/** @type {Promise<void> | null} */ let looking = null;
let again = false;

/** Look at the desk's state; what happens meanwhile is one look more. */
export function refresh() {
  again = true;
  looking ??= lookUntilTold();
  return looking;
}

async function lookUntilTold() {
  try {
    while (again) {
      again = false;
      await look();
    }
  } finally {
    looking = null;
  }
}

async function look() {
  try {
    desk.state = await ask("/api/state");
  } catch (error) {
    if (/** @type {any} */ (error).status === 401 && !desk.leaving) location.replace("/left");
    return;
  }
  warnOfQuality();
  const list = by("pages"), chosen = desk.page?.id ?? "";
  list.replaceChildren(...desk.state.pages.map((/** @type {any} */ p) => {
    const sign = p.state === "read" ? (p.doubtful ? `${p.doubtful} ?` : "✓") : p.state === "refused" ? "✗" : "…";
    const option = /** @type {HTMLOptionElement} */ (element("option", `${p.name}  ${sign}${p.concerns.length ? " ⚠" : ""}`));
    option.value = p.id;
    option.disabled = p.state !== "read" && p.state !== "refused";
    return option;
  }));
  list.value = chosen;
  sayProgress();
  const gone = desk.page && !desk.state.pages.some((/** @type {any} */ p) => p.id === desk.page?.id);
  if (!desk.page || gone) {
    const first = desk.state.pages.find((/** @type {any} */ p) => p.state === "read");
    await showPage(first ? first.id : null);
  }
  await readQueue();
  document.dispatchEvent(new Event("state"));
}

/** Say of pages that have just been read what another scan would put right. */
function warnOfQuality() {
  const pages = desk.state.pages.filter((/** @type {any} */ p) => p.state === "read" && p.concerns.length && unread.has(p.id));
  unread = new Set(desk.state.pages.filter((/** @type {any} */ p) => p.state !== "read").map((/** @type {any} */ p) => p.id));
  const told = pages.slice(0, MOST_WARNINGS).map((/** @type {any} */ p) => say("scanAgain", { name: p.name, reason: concernsOf(p) }));
  if (pages.length > MOST_WARNINGS) told.push(say("scanAgainMore", { count: pages.length - MOST_WARNINGS }));
  if (told.length) warn(told.join("  "));
}

/** @param {any} page */
const concernsOf = (page) => page.concerns.map((/** @type {string} */ concern) => say(`concern:${concern}`)).join(", ");

export function sayQuality() {
  const page = desk.state.pages.find((/** @type {any} */ p) => p.id === desk.page?.id);
  by("quality").textContent = page?.concerns.length ? say("scanAgain", { name: page.name, reason: concernsOf(page) }) : "";
}

export function sayProgress() {
  const { pages, scans, trouble, ready } = desk.state;
  const reading = pages.filter((/** @type {any} */ p) => p.state === "reading");
  const waiting = pages.filter((/** @type {any} */ p) => p.state === "waiting");
  const failed = [...pages.filter((/** @type {any} */ p) => p.state === "refused"), ...scans.filter((/** @type {any} */ s) => s.reason)];
  const refused = failed.filter((told) => !isSeen(told.id));
  const words = [];
  if (trouble) words.push(say("failed", { reason: trouble }));
  if (reading.length) words.push(say("reading", { name: reading[0].name }));
  if (waiting.length) words.push(say("waitingPages", { count: waiting.length }));
  if (!ready && (waiting.length || scans.some((/** @type {any} */ s) => !s.reason))) words.push(say("starting"));
  notice(words.join("  "), Boolean(trouble));
  refuse(refused.map((told) => say("refused", told)));
  by("drop").textContent = pages.some((/** @type {any} */ p) => p.state === "read") ? "" : words.join(" ") || say("dropHere");
}

/** @param {string | null} id */
export async function showPage(id) {
  desk.page = id ? await ask(`/api/pages/${id}`) : null;
  desk.line = null;
  if (desk.page) for (const change of unkept()) applyWaiting(desk.page, change);
  view.show(desk.page);
  by("pages").value = id ?? "";
  by("line").hidden = !desk.page;
  sayQuality();
  for (const name of ["edit", "remove", "save", "contrast", "negative", "whole", "larger", "smaller"]) by(name).disabled = !desk.page;
  if (desk.page) showLine(desk.page.lines.find((l) => doubtful(l) && !l.done) ?? desk.page.lines[0] ?? null);
}

/** What this window typed and the desk has not kept yet still stands after a reload. @param {Page} page @param {any} change */
function applyWaiting(page, change) {
  const found = page.lines.find((l) => l.id === change.line);
  if (change.page !== page.id || !found || change.op === "settle") return;
  if (change.op !== "open") found.now = change.text;
  found.done = change.op === "done";
}

/** Show the page as it is now, its structure changed; the line stays where it is still there, with what is being typed. @param {Page} made */
export function exchangePage(made) {
  const before = desk.page, was = desk.line;
  if (!before || made.layout < before.layout) return;  // an answer that was overtaken
  desk.page = made;
  for (const line of made.lines) {
    const known = before.lines.find((l) => l.id === line.id);
    if (known && known.version > line.version) Object.assign(line, { now: known.now, done: known.done, version: known.version, others: known.others });
  }
  for (const change of unkept()) applyWaiting(made, change);
  view.show(made, true);
  const again = made.lines.find((l) => l.id === was?.id);
  if (!again || !was) {
    const fresh = made.lines.find((l) => !before.lines.some((b) => b.id === l.id));
    const near = Math.min(was ? before.lines.indexOf(was) : 0, made.lines.length - 1);
    showLine(fresh ?? made.lines[near] ?? null, false);
    return;
  }
  desk.line = again;
  if (text.value === was.now && text.value !== again.now) text.value = again.now;
  mark();
  showAround();
  document.dispatchEvent(new Event("line"));
}

/** @param {string} id */
export async function reloadPage(id) {
  if (desk.page?.id !== id) return;
  const made = await ask(`/api/pages/${id}`).catch(() => null);
  if (made && desk.page?.id === id) exchangePage(made);
}

/** @param {string} pageId @param {string} lineId */
export async function goTo(pageId, lineId) {
  if (desk.page?.id !== pageId) await showPage(pageId);
  showLine(desk.page?.lines.find((l) => l.id === lineId) ?? desk.page?.lines[0] ?? null);
}
