/** The words of the line that is looked at: which are doubtful, and what else each may say. @module */
import { by, element } from "./dom.js";
import { desk, DOUBTFUL_LETTER, DOUBTFUL_WORD, text } from "./desk.js";
import { setText } from "./changes.js";
import { say } from "./strings.js";
/** @typedef {import("./desk.js").Line} Line */
/** @typedef {[number, number]} Place from, to */

/** @param {Line} line */
export function showWords(line) {
  by("words").replaceChildren(...line.words.map((word, i) => {
    const button = element("button", word.text, word.c < DOUBTFUL_WORD ? "doubtful" : "");
    button.title = `${Math.round(100 * word.c)} %`;
    if (word.c < DOUBTFUL_WORD) button.setAttribute("aria-label", `${word.text} (${say("doubtful")})`);
    button.addEventListener("click", () => {
      const at = places(line)[i];
      text.focus();
      if (at) text.setSelectionRange(at[0], at[1]);
    });
    return button;
  }));
}

/** Where the words of the reading stand in the text as it is now; null for one that is not there any more.
 * @param {Line} line @returns {(Place | null)[]} */
function places(line) {
  const now = [...text.value.matchAll(/\S+/g)];
  if (now.length === line.words.length) return now.map((word) => [word.index, word.index + word[0].length]);
  let from = 0;
  return line.words.map((word) => {
    for (const reading of [word.text, ...word.others]) {
      const at = text.value.indexOf(reading, from);
      if (at < 0) continue;
      from = at + reading.length;
      return [at, from];
    }
    return null;
  });
}

/** The places to look at: single letters where the recognizer says which, else words. @param {Line} line @returns {Place[]} */
function doubts(line) {
  /** @type {Place[]} */ const found = [];
  const where = places(line);
  line.words.forEach((word, i) => {
    const at = where[i];
    if (!at || text.value.slice(at[0], at[1]) !== word.text) return;  // a person was there
    if (word.c >= DOUBTFUL_WORD && word.letters.every((c) => c >= DOUBTFUL_LETTER)) return;
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

/** The word at the caret that may be read otherwise. @returns {{at: Place, readings: string[]} | null} */
function wordHere() {
  const line = desk.line;
  if (!line) return null;
  const where = places(line), { selectionStart, selectionEnd } = text;
  const here = where.findIndex((at, i) => at && line.words[i].others.length && selectionStart >= at[0] && selectionEnd <= at[1]);
  const at = where[here];
  return at ? { at, readings: [line.words[here].text, ...line.words[here].others] } : null;
}

/** The word at the caret gets its next reading; where it has none, the next one that has is selected. */
export function nextOfWord() {
  const line = desk.line, here = wordHere();
  if (!line) return;
  if (here) {
    const now = here.readings.indexOf(text.value.slice(here.at[0], here.at[1]));
    put(here.at, here.readings[(now + 1) % here.readings.length]);
    return;
  }
  const some = places(line).filter((at, i) => at && line.words[i].others.length);
  const next = some.find((at) => at && at[0] >= text.selectionEnd) ?? some[0];
  if (next) text.setSelectionRange(next[0], next[1]);
}

/** @param {Place} at @param {string} reading */
function put([from, to], reading) {
  setText(text.value.slice(0, from) + reading + text.value.slice(to));
  text.setSelectionRange(from, from + reading.length);
  showChoices();
}

/** What else the word at the caret may say, to be picked. */
export function showChoices() {
  const here = wordHere(), now = here ? text.value.slice(here.at[0], here.at[1]) : "";
  const alone = desk.line?.words.length === 1;  // those of the line are the same
  const offered = (!alone && here?.readings.filter((reading) => reading !== now)) || [];
  const name = offered.length ? [element("small", say("wordOthers"))] : [];
  by("choices").replaceChildren(...name, ...offered.map((reading) => {
    const button = element("button", reading);
    button.addEventListener("click", () => {
      const there = wordHere();
      text.focus();
      if (there) put(there.at, reading);
    });
    return button;
  }));
}
document.addEventListener("selectionchange", () => document.activeElement === text && showChoices());
