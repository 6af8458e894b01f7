/** The desk's page. @module */
import { ask, by, element } from "./dom.js";
import { addFiles, openCamera, openScanner } from "./intake.js";
import { keep, onKept, unkept, who } from "./keeper.js";
import { startKiosk } from "./kiosk.js";
import { say, setLanguage } from "./strings.js";
import { View, showStrip } from "./view.js";

const DOUBTFUL_WORD = 0.7, DOUBTFUL_LETTER = 0.8;
/** @type {any} */ let state = { pages: [], scans: [] };
/** @type {any} */ let page = null;
/** @type {any} */ let line = null;
/** @type {{page: string, line: string}[]} */ let queue = [];
/** @type {{page: string, line: string, text: string, done: boolean, typed: number}[]} */ let undo = [];
let arrived = 0, other = -1, place = 0;

const text = /** @type {HTMLTextAreaElement} */ (by("text"));
const view = new View(by("view"), (id) => goTo(page.id, id));

/** @param {string} message @param {boolean} [bad] */
export function notice(message, bad = false) {
  by("notice").textContent = message;
  by("notice").className = bad ? "bad" : "";
}

// Pages

async function refresh() {
  try {
    state = await ask("/api/state");
  } catch (error) {
    if (/** @type {any} */ (error).status === 401 && !leaving) location.replace("/left");
    return;
  }
  const list = by("pages"), chosen = page?.id ?? "";
  list.replaceChildren(...state.pages.map((/** @type {any} */ p) => {
    const sign = p.state === "read" ? (p.doubtful ? `${p.doubtful} ?` : "✓") : p.state === "refused" ? "✗" : "…";
    const option = /** @type {HTMLOptionElement} */ (element("option", `${p.name}  ${sign}`));
    option.value = p.id;
    option.disabled = p.state !== "read" && p.state !== "refused";
    return option;
  }));
  list.value = chosen;
  say_progress();
  const gone = page && !state.pages.some((/** @type {any} */ p) => p.id === page.id);
  if (!page || gone) {
    const first = state.pages.find((/** @type {any} */ p) => p.state === "read");
    await showPage(first ? first.id : null);
  }
  await readQueue();
}

function say_progress() {
  const reading = state.pages.filter((/** @type {any} */ p) => p.state === "reading");
  const waiting = state.pages.filter((/** @type {any} */ p) => p.state === "waiting");
  const refused = [...state.pages.filter((/** @type {any} */ p) => p.state === "refused"), ...state.scans.filter((/** @type {any} */ s) => s.reason)];
  const words = [];
  if (state.trouble) words.push(say("failed", { reason: state.trouble }));
  if (reading.length) words.push(say("reading", { name: reading[0].name }));
  if (waiting.length) words.push(say("waitingPages", { count: waiting.length }));
  if (!state.ready && (waiting.length || state.scans.some((/** @type {any} */ s) => !s.reason))) words.push(say("starting"));
  if (refused.length) words.push(say("refused", refused[refused.length - 1]));
  notice(words.join("  "), Boolean(state.trouble || refused.length));
  by("drop").textContent = state.pages.some((/** @type {any} */ p) => p.state === "read") ? "" : words.join(" ") || say("dropHere");
}

/** @param {string | null} id */
async function showPage(id) {
  page = id ? await ask(`/api/pages/${id}`) : null;
  line = null;
  if (page) for (const change of unkept()) applyWaiting(change);
  view.show(page);
  by("pages").value = id ?? "";
  by("line").hidden = !page;
  for (const name of ["remove", "save", "negative", "whole", "larger", "smaller"]) by(name).disabled = !page;
  if (page) {
    const first = page.lines.find((/** @type {any} */ l) => doubtful(l) && !l.done) ?? page.lines[0];
    showLine(first ?? null);
  }
}

/** What this window typed and the desk has not kept yet still stands after a reload. @param {any} change */
function applyWaiting(change) {
  const found = page.lines.find((/** @type {any} */ l) => l.id === change.line);
  if (change.page !== page.id || !found || change.op === "settle") return;
  if (change.op !== "open") found.now = change.text;
  found.done = change.op === "done";
}

// Lines

/** @param {any} l */
const doubtful = (l) => !l.text || l.confidence < 0.8 || l.words.some((/** @type {any} */ w) => w.c < DOUBTFUL_WORD);
/** @param {any} l */
const kindOf = (l) => (l.done ? "done" : doubtful(l) ? "doubtful" : l.kind === "handwritten" ? "handwritten" : "printed");

/** @param {string} pageId @param {string} lineId */
async function goTo(pageId, lineId) {
  if (!page || page.id !== pageId) await showPage(pageId);
  showLine(page.lines.find((/** @type {any} */ l) => l.id === lineId) ?? page.lines[0] ?? null);
}

/** @param {any} next */
function showLine(next) {
  line = next;
  other = -1;
  arrived = performance.now();
  view.mark(kindOf, line?.id ?? null);
  text.disabled = !line;
  for (const name of ["right", "next", "previous"]) by(name).disabled = !line;
  if (!line) {
    by("line-name").textContent = say("noLines");
    text.value = "";
    return;
  }
  const number = page.lines.indexOf(line) + 1;
  const kind = say(line.kind);
  by("line-name").textContent = say("lineName", { number, count: page.lines.length, kind, confidence: Math.round(100 * line.confidence) });
  by("strip").setAttribute("aria-label", by("line-name").textContent);
  text.value = line.now;
  place = 0;
  by("kept").textContent = line.done ? say("keptDone") : line.version ? say("kept") : "";
  view.reveal(line);
  showStrip(page, line);
  showWords();
  showOthers();
  sayLeft();
  text.focus({ preventScroll: true });
  text.setSelectionRange(0, 0);
}

function showWords() {
  by("words").replaceChildren(...line.words.map((/** @type {any} */ word, /** @type {number} */ i) => {
    const button = element("button", word.text, word.c < DOUBTFUL_WORD ? "doubtful" : "");
    button.title = `${Math.round(100 * word.c)} %`;
    if (word.c < DOUBTFUL_WORD) button.setAttribute("aria-label", `${word.text} (${say("doubtful")})`);
    button.addEventListener("click", () => {
      const at = placeOf(i);
      text.focus();
      if (at) text.setSelectionRange(at[0], at[1]);
    });
    return button;
  }));
}

function showOthers() {
  const made = [];
  if (line.others.length) {
    for (const written of line.others) made.push(otherButton(written, say("alsoWritten")));
    const settle = element("button", say("settle"));
    settle.addEventListener("click", () => {
      record("settle");
      line.others = [];
      showOthers();
      text.focus();
    });
    made.push(settle);
  }
  for (const reading of line.alternatives) made.push(otherButton(reading, say("others")));
  by("others").replaceChildren(...made);
}

/** @param {string} written @param {string} what */
function otherButton(written, what) {
  const button = element("button", "");
  button.append(element("small", what), document.createTextNode(written));
  button.addEventListener("click", () => {
    setText(written);
    text.focus();
  });
  return button;
}

/** Where a word of the reading stands in the text as it is now; null where it was changed. @param {number} index @returns {[number, number] | null} */
function placeOf(index) {
  let from = 0;
  for (let i = 0; i <= index; i++) {
    const at = text.value.indexOf(line.words[i].text, from);
    if (i === index) return at < 0 ? null : [at, at + line.words[i].text.length];
    if (at >= 0) from = at + line.words[i].text.length;
  }
  return null;
}

/** The places to look at: single letters where the recognizer says which, else words. @returns {[number, number][]} */
function doubts() {
  /** @type {[number, number][]} */ const found = [];
  line.words.forEach((/** @type {any} */ word, /** @type {number} */ i) => {
    const at = word.c < DOUBTFUL_WORD || word.letters.some((/** @type {number} */ c) => c < DOUBTFUL_LETTER) ? placeOf(i) : null;
    if (!at) return;
    const letters = word.letters.flatMap((/** @type {number} */ c, /** @type {number} */ k) => (c < DOUBTFUL_LETTER ? [k] : []));
    const single = letters.length && [...word.text].length === word.text.length && word.letters.length === word.text.length;
    if (single) for (const k of letters) found.push([at[0] + k, at[0] + k + 1]);
    else found.push(at);
  });
  return found;
}

/** @param {number} step */
function nextDoubt(step) {
  const found = doubts(), caret = step > 0 ? text.selectionEnd : text.selectionStart;
  const start = text.selectionStart === text.selectionEnd ? caret - (step > 0 ? 1 : 0) : caret - 1;
  const next = step > 0 ? found.find((d) => d[0] > start) ?? found[0] : found.filter((d) => d[1] <= caret).at(-1) ?? found.at(-1);
  if (next) text.setSelectionRange(next[0], next[1]);
}

// Changes

/** @param {string} op @param {string} [written] */
function record(op, written = text.value) {
  const seconds = op === "done" ? Math.min(60, (performance.now() - arrived) / 1000) : 0;
  keep({ page: page.id, line: line.id, op, base: line.version, text: written.replace(/\s*\n\s*/g, " "), seconds: Math.round(seconds * 10) / 10 });
}

/** @param {string} written */
function setText(written) {
  if (written === line.now) return;
  remember();
  text.value = written;
  typed();
}

function remember() {
  const tail = undo.at(-1), now = performance.now();
  if (tail && tail.line === line.id && tail.page === page.id && now - tail.typed < 800) tail.typed = now;
  else undo.push({ page: page.id, line: line.id, text: line.now, done: line.done, typed: now });
}

function typed() {
  if (text.value.includes("\n")) text.value = text.value.replace(/\s*\n\s*/g, " ");
  line.now = text.value;
  line.done = false;
  record("text");
  view.mark(kindOf, line.id);
}

/** The line is done; the next one comes. */
function finish() {
  undo.push({ page: page.id, line: line.id, text: line.now, done: line.done, typed: -1e9 });
  line.done = true;
  record("done");
  next();
}

async function takeBack() {
  const step = undo.pop();
  if (!step) return;
  await goTo(step.page, step.line);
  text.value = line.now = step.text;
  line.done = step.done;
  record("text");
  if (step.done) record("done");
  view.mark(kindOf, line.id);
}

async function next() {
  const here = queue.findIndex((q) => q.page === page.id && q.line === line.id);
  queue = queue.filter((q) => q.page !== page.id || q.line !== line.id);
  sayLeft();
  const later = by("order").value === "errors" ? queue[0] : queue[here >= 0 ? here : 0] ?? queue[0];
  const onPage = page.lines[page.lines.indexOf(line) + 1];
  if (by("order").value === "place" && onPage) showLine(onPage);
  else if (later) await goTo(later.page, later.line);
  else showLine(line);
}

/** @param {number} step */
function move(step) {
  const target = page.lines[page.lines.indexOf(line) + step];
  if (target) showLine(target);
}

async function readQueue() {
  const told = await ask(`/api/queue?by=${by("order").value}`).catch(() => null);
  if (!told) return;
  queue = told.lines;
  total = told.total;
  listed = queue.length;
  perLine = told.total ? told.seconds / told.total : 0;
  sayLeft();
}
let total = 0, listed = 0, perLine = 0;

function sayLeft() {
  const count = total - (listed - queue.length);
  by("left-over").textContent = count > 0 ? sayCount(count) : page ? say("nothingLeft") : "";
}

/** @param {number} count */
function sayCount(count) {
  if (!perLine) return say("leftCount", { count });
  return say("leftOver", { count, minutes: Math.max(1, Math.round((count * perLine) / 60)) });
}

onKept(({ count, away, told }) => {
  for (const kept of told) {
    const known = page?.id === kept.page ? page.lines.find((/** @type {any} */ l) => l.id === kept.line) : null;
    if (!known) continue;
    known.version = kept.version;
    known.others = kept.others;
    if (known === line) showOthers();
  }
  const words = by("kept");
  words.className = count ? "waiting" : "";
  if (away) words.textContent = say("notKept", { count });
  else if (count) words.textContent = say("keeping");
  else if (line) words.textContent = line.done ? say("keptDone") : say("kept");
});

// Keys

text.addEventListener("beforeinput", () => line && remember());
text.addEventListener("input", () => line && typed());
text.addEventListener("keydown", (event) => {
  if (!line || event.isComposing) return;
  if (event.key === "Enter") finish();
  else if (event.key === "F2") nextDoubt(event.shiftKey ? -1 : 1);
  else if (event.key === "F4") nextReading();
  else if (event.key === "Escape") setText(line.text);
  else return;
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  const control = event.ctrlKey || event.metaKey;
  if (!line || document.querySelector("dialog[open]")) return;
  if (event.altKey && event.key === "ArrowUp") move(-1);
  else if (event.altKey && event.key === "ArrowDown") move(1);
  else if (control && event.key === "z") takeBack();
  else if (control && (event.key === "+" || event.key === "=")) view.zoom(1.25);
  else if (control && event.key === "-") view.zoom(0.8);
  else if (control && event.key === "0") view.whole();
  else return;
  event.preventDefault();
});

function nextReading() {
  const readings = [line.text, ...line.alternatives];
  other = (Math.max(other, 0) + 1) % readings.length;
  setText(readings[other]);
}

// Buttons

/** @param {string} name @param {() => void} action */
const on = (name, action) => by(name).addEventListener("click", action);
on("add", () => by("files").click());
by("files").addEventListener("change", () => addFiles(by("files").files));
on("scan", openScanner);
on("camera", openCamera);
on("right", finish);
on("next", () => next());
on("previous", () => move(-1));
on("undo", takeBack);
on("smaller", () => view.zoom(0.8));
on("larger", () => view.zoom(1.25));
on("whole", () => view.whole());
on("negative", () => {
  const now = document.body.classList.toggle("negative");
  by("negative").setAttribute("aria-pressed", String(now));
});
let removeAt = -1e9;
on("remove", async () => {
  if (performance.now() - removeAt > 5000) {
    removeAt = performance.now();
    notice(say("removeSure"), true);
    return;
  }
  await ask(`/api/pages/${page.id}`, { method: "DELETE" });
  await refresh();
});
on("save", async () => {
  const [name, all] = by("format").value.split(" ");
  const query = all ? "" : `&page=${page.id}`;
  notice(say("saving", { name }));
  try {
    if (unkept().length) throw new Error(say("keeping"));
    const answer = await fetch(`/api/export?format=${name}${query}`);
    if (!answer.ok) throw new Error((await answer.json()).detail);
    const told = answer.headers.get("content-disposition") ?? "";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = decodeURIComponent(told.split("''")[1] ?? `carrel.${name}`);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    notice(say("saved", { name: link.download }));
  } catch (error) {
    notice(say("failed", { reason: /** @type {Error} */ (error).message }), true);
  }
});
let leaving = false;
export async function leave() {
  leaving = true;
  const told = await ask("/api/leave", { method: "POST" });
  sessionStorage.clear();
  location.replace(told.next);
}
on("leave", leave);
by("pages").addEventListener("change", () => showPage(by("pages").value));
by("order").addEventListener("change", () => readQueue().then(() => queue[0] && goTo(queue[0].page, queue[0].line)));
by("language").addEventListener("change", () => speak(by("language").value));
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", kind === "dragover");
    if (kind === "drop") addFiles(/** @type {DragEvent} */ (event).dataTransfer?.files ?? null);
  });
}

/** @param {string} language */
function speak(language) {
  setLanguage(language);
  by("language").value = language;
  localStorage.setItem("carrel-language", language);
  const keys = [["Enter", "keyEnter"], ["Ctrl+Enter", "keyConfirm"], ["F2", "keyDoubt"], ["F4", "keyOther"], ["Esc", "keyBack"], ["Alt+↑ ↓", "keyMove"], ["Ctrl+Z", "keyUndo"], ["Ctrl+ + − 0", "keyZoom"]];
  by("keys").replaceChildren(...keys.flatMap(([key, name]) => [element("dt", key), element("dd", say(name))]));
  const chosen = by("format").value || "text";
  const formats = [...(state.formats ?? []), "all"];
  by("format").replaceChildren(...["", " *"].flatMap((all) => formats.map((name) => {
    const option = /** @type {HTMLOptionElement} */ (element("option", `${name === "all" ? say("all") : name}: ${say(all ? "allPages" : "thisPage")}`));
    option.value = name + all;
    return option;
  })));
  by("format").value = chosen;
  say_progress();
  if (line) showLine(line);
}

// Start

addEventListener("resize", () => line && showStrip(page, line));

const events = new EventSource("/api/events");
events.addEventListener("pages", refresh);
events.addEventListener("left", () => leaving || location.replace("/left"));
events.addEventListener("line", (event) => {
  const told = JSON.parse(event.data);
  const known = page?.id === told.page ? page.lines.find((/** @type {any} */ l) => l.id === told.line) : null;
  if (!known || told.who === who) return;
  const typing = known === line && (unkept().length || text.value !== known.now);
  Object.assign(known, { now: typing ? known.now : told.now ?? known.text, done: told.done, others: told.others });
  view.mark(kindOf, line?.id ?? null);
  if (known === line && !typing) {
    text.value = known.now;
    known.version = told.version;
    showOthers();
  } else if (known !== line) known.version = told.version;
});
events.addEventListener("error", () => notice(say("away"), true));
events.addEventListener("open", refresh);

state = await ask("/api/state").catch(() => state);
speak(localStorage.getItem("carrel-language") ?? (navigator.language.startsWith("fr") ? "fr" : "en"));
await refresh();
if (state.kiosk_idle_s) startKiosk(state.kiosk_idle_s, leave);
document.body.dataset.ready = "yes";
