/** The line that is looked at: its picture, its text, its words, and what else it may say. @module */
import { by, element } from "./dom.js";
import { desk, DOUBTFUL_LETTER, DOUBTFUL_WORD, mark, text, view } from "./desk.js";
import { record, sayLeft, setText } from "./changes.js";
import { say } from "./strings.js";
import { showStrip } from "./view.js";
/** @typedef {import("./desk.js").Line} Line */

let other = -1;
export let arrived = 0;

/** @param {Line | null} next @param {boolean} [focus] */
export function showLine(next, focus = true) {
  desk.line = next;
  other = -1;
  arrived = performance.now();
  mark();
  text.disabled = !next;
  for (const name of ["right", "next", "previous"]) by(name).disabled = !next;
  document.dispatchEvent(new Event("line"));
  if (!next || !desk.page) {
    by("line-name").textContent = say("noLines");
    text.value = "";
    for (const name of ["words", "others", "strip"]) by(name).replaceChildren();
    return;
  }
  text.value = next.now;
  by("kept").textContent = next.done ? say("keptDone") : next.version ? say("kept") : "";
  view.reveal(next);
  showAround();
  sayLeft();
  if (!focus) return;
  text.focus({ preventScroll: true });
  text.setSelectionRange(0, 0);
}

/** Everything but the text itself, which somebody may be typing in. */
export function showAround() {
  const { page, line } = desk;
  if (!page || !line) return;
  const number = page.lines.indexOf(line) + 1;
  by("line-name").textContent = say("lineName", { number, count: page.lines.length, kind: say(line.kind), confidence: Math.round(100 * line.confidence) });
  by("strip").setAttribute("aria-label", by("line-name").textContent);
  showStrip(page, line);
  showWords(line);
  showOthers();
}

/** @param {Line} line */
function showWords(line) {
  by("words").replaceChildren(...line.words.map((word, i) => {
    const button = element("button", word.text, word.c < DOUBTFUL_WORD ? "doubtful" : "");
    button.title = `${Math.round(100 * word.c)} %`;
    if (word.c < DOUBTFUL_WORD) button.setAttribute("aria-label", `${word.text} (${say("doubtful")})`);
    button.addEventListener("click", () => {
      const at = placeOf(line, i);
      text.focus();
      if (at) text.setSelectionRange(at[0], at[1]);
    });
    return button;
  }));
}

export function showOthers() {
  const line = desk.line, made = [];
  if (!line) return;
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

/** Where a word of the reading stands in the text as it is now; null where it was changed. @param {Line} line @param {number} index @returns {[number, number] | null} */
function placeOf(line, index) {
  let from = 0;
  for (let i = 0; i <= index; i++) {
    const word = line.words[i].text, at = text.value.indexOf(word, from);
    if (i === index) return at < 0 ? null : [at, at + word.length];
    if (at >= 0) from = at + word.length;
  }
  return null;
}

/** The places to look at: single letters where the recognizer says which, else words. @param {Line} line @returns {[number, number][]} */
function doubts(line) {
  /** @type {[number, number][]} */ const found = [];
  line.words.forEach((word, i) => {
    const at = word.c < DOUBTFUL_WORD || word.letters.some((c) => c < DOUBTFUL_LETTER) ? placeOf(line, i) : null;
    if (!at) return;
    const letters = word.letters.flatMap((c, k) => (c < DOUBTFUL_LETTER ? [k] : []));
    const single = letters.length && [...word.text].length === word.text.length && word.letters.length === word.text.length;
    if (single) for (const k of letters) found.push([at[0] + k, at[0] + k + 1]);
    else found.push(at);
  });
  return found;
}

/** @param {number} step */
export function nextDoubt(step) {
  if (!desk.line) return;
  const found = doubts(desk.line), caret = step > 0 ? text.selectionEnd : text.selectionStart;
  const start = text.selectionStart === text.selectionEnd ? caret - (step > 0 ? 1 : 0) : caret - 1;
  const next = step > 0 ? found.find((d) => d[0] > start) ?? found[0] : found.filter((d) => d[1] <= caret).at(-1) ?? found.at(-1);
  if (next) text.setSelectionRange(next[0], next[1]);
}

export function nextReading() {
  if (!desk.line) return;
  const readings = [desk.line.text, ...desk.line.alternatives];
  other = (Math.max(other, 0) + 1) % readings.length;
  setText(readings[other]);
}
