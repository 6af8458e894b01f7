/** Changes of texts: kept, taken back, and on to the next line. @module */
import { ask, by } from "./dom.js";
import { desk, known, mark, notice, text, trouble } from "./desk.js";
import { keep, onKept } from "./keeper.js";
import { layBack } from "./layout.js";
import { refreshLearning } from "./learn.js";
import { arrived, noteField, sayKept, showLine, showOthers } from "./line.js";
import { goTo } from "./pages.js";
import { offerSame } from "./same.js";
import { say } from "./strings.js";
/** @typedef {import("./desk.js").Line} Line */
/** @typedef {{page: string, line: string, text: string, done: boolean, typed: number, group?: number, step?: number}} Step */

const LEARNING_EVERY = 5;
/** Lines that are done between two looks at whether learning pays. */

/** @type {Step[]} */ const undo = [];
/** @typedef {{page: string, line: string, field: string}} Place */
/** @type {Place[]} */ let queue = [];
let total = 0, listed = 0, perLine = 0;

/** @param {string} op @param {string} [written] */
export function record(op, written = text.value) {
  const { page, line } = desk;
  if (!page || !line) return;
  const seconds = op === "done" ? Math.min(60, (performance.now() - arrived) / 1000) : 0;
  keep({ page: page.id, line: line.id, op, base: line.version, text: written.replace(/\s*\n\s*/g, " "), seconds: Math.round(seconds * 10) / 10 });
}

/** @param {string} written */
export function setText(written) {
  if (!desk.line || written === desk.line.now) return;
  remember();
  text.value = written;
  typed();
}

/** @param {Step} step */
export const undoable = (step) => undo.push(step);

export function remember() {
  const { page, line } = desk, tail = undo.at(-1), now = performance.now();
  if (!page || !line) return;
  if (tail && tail.line === line.id && tail.page === page.id && now - tail.typed < 800) tail.typed = now;
  else undo.push({ page: page.id, line: line.id, text: line.now, done: line.done, typed: now });
}

export function typed() {
  if (!desk.line) return;
  if (text.value.includes("\n")) text.value = text.value.replace(/\s*\n\s*/g, " ");
  if (text.value.length >= text.maxLength) notice(say("lineFull", { count: text.maxLength }), true);
  desk.line.now = text.value;
  desk.line.done = false;
  record("text");
  mark();
}

/** The line is done; the next one comes. */
export function finish() {
  const { page, line } = desk;
  if (!page || !line) return;
  undo.push({ page: page.id, line: line.id, text: line.now, done: line.done, typed: -1e9 });
  line.done = true;
  record("done");
  offerSame(page.id, line);
  next();
}

export async function takeBack() {
  const step = undo.pop();
  if (!step) return;
  if (step.step) {
    await layBack(step.page, step.step);
    return;
  }
  await restore(step);
  while (step.group && undo.at(-1)?.group === step.group) await restore(/** @type {Step} */ (undo.pop()));
}

/** @param {Step} step */
async function restore(step) {
  await goTo(step.page, step.line);
  const line = desk.line;
  if (line?.id !== step.line) return;  // the line is not there any more
  text.value = line.now = step.text;
  line.done = step.done;
  record("text");
  if (step.done) record("done");
  mark();
}

export async function next() {
  const { page, line } = desk;
  if (!page || !line) return;
  const here = queue.findIndex((q) => q.page === page.id && q.line === line.id);
  queue = queue.filter((q) => q.page !== page.id || q.line !== line.id);
  sayLeft();
  const later = by("order").value === "errors" ? queue[0] : queue[here >= 0 ? here : 0] ?? queue[0];
  const onPage = page.lines[page.lines.indexOf(line) + 1];
  if (by("order").value === "place" && onPage) showLine(onPage);
  else if (later) await goTo(later.page, later.line);
  else showLine(line);
}

/** @param {number} step @param {boolean} [focus] */
export function move(step, focus = true) {
  const target = desk.line && desk.page?.lines[desk.page.lines.indexOf(desk.line) + step];
  if (target) showLine(target, focus);
}

export async function readQueue() {
  const told = await ask(`/api/queue?by=${by("order").value}`).catch(() => null);
  if (!told) return;
  queue = told.lines;
  total = told.total;
  listed = queue.length;
  perLine = told.total ? told.seconds / told.total : 0;
  sayLeft();
}

export const first = () => queue[0];

/** Go to the first line of the queue that is wanted. @param {(place: Place) => boolean} wanted */
export async function startAt(wanted) {
  const place = queue.find(wanted);
  if (place) await goTo(place.page, place.line);
}

export function sayLeft() {
  const count = total - (listed - queue.length);
  by("left-over").textContent = count > 0 ? sayCount(count) : desk.page ? say("nothingLeft") : "";
}

/** @param {number} count */
function sayCount(count) {
  if (!perLine) return say("leftCount", { count });
  return say("leftOver", { count, minutes: Math.max(1, Math.round((count * perLine) / 60)) });
}

let doneCount = 0;
onKept((told, refused) => {
  for (const { page, line: id, reason } of refused) {
    const line = known(page, id);
    if (line) line.trouble = reason;
    trouble(say("failed", { reason }));
  }
  doneCount += told.filter((kept) => kept.done).length;
  if (doneCount >= LEARNING_EVERY) {
    doneCount = 0;
    refreshLearning();
  }
  for (const kept of told) {
    const line = known(kept.page, kept.line);
    if (!line) continue;
    line.version = kept.version;
    line.trouble = "";
    line.others = kept.others;
    if (line.field) line.field.breaks = kept.breaks;
    if (line !== desk.line) continue;
    showOthers();
    noteField(line);
  }
  sayKept();
});
