/** The line that is looked at: its picture, its text, its words, and what else it may say. @module */
import { by, element } from "./dom.js";
import { desk, mark, text, view } from "./desk.js";
import { record, sayLeft, setText } from "./changes.js";
import { isAway, unkept } from "./keeper.js";
import { say } from "./strings.js";
import { showStrip } from "./view.js";
import { showChoices, showWords } from "./words.js";
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
    by("field-note").textContent = "";
    for (const name of ["words", "choices", "others", "strip"]) by(name).replaceChildren();
    return;
  }
  text.value = next.now;
  sayKept();
  view.reveal(next);
  showAround();
  sayLeft();
  if (!focus) return;
  by("line").scrollTop = 0;
  text.focus({ preventScroll: true });
  text.setSelectionRange(0, 0);
}

/** Say whether everything that was typed is on the desk's disk. */
export function sayKept() {
  const line = desk.line, count = unkept().length, words = by("kept");
  words.className = count || line?.trouble ? "waiting" : "";
  if (count) words.textContent = isAway() ? say("notKept", { count }) : say("keeping");
  else if (line?.trouble) words.textContent = say("failed", { reason: line.trouble });
  else if (line) words.textContent = line.done ? say("keptDone") : line.version ? say("kept") : "";
}

/** Everything but the text itself, which somebody may be typing in. */
export function showAround() {
  const { page, line } = desk;
  if (!page || !line) return;
  const number = page.lines.indexOf(line) + 1;
  const confidence = Math.round(100 * line.confidence);
  by("line-name").textContent = line.field
    ? say(line.field.row ? "valueInRow" : "valueName", { field: line.field.name, row: line.field.row, page: page.name, kind: say(`kind:${line.field.kind}`), confidence })
    : say("lineName", { number, count: page.lines.length, kind: say(line.kind), confidence });
  noteField(line);
  by("strip").setAttribute("aria-label", by("line-name").textContent);
  showStrip(page, line);
  showWords(line);
  showChoices();
  showOthers();
}

/** Say where a value is none that its field may hold. @param {Line} line */
export function noteField(line) {
  by("field-note").textContent = line.field?.breaks ? say("breaksPattern", { pattern: line.field.pattern }) : "";
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
  button.append(element("small", what), element("bdi", written));
  button.addEventListener("click", () => {
    setText(written);
    text.focus();
  });
  return button;
}

export function nextReading() {
  if (!desk.line) return;
  const readings = [desk.line.text, ...desk.line.alternatives];
  other = (Math.max(other, 0) + 1) % readings.length;
  setText(readings[other]);
}
