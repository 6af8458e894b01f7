/** What every part of the page shares: the desk's state, the page and the line that are looked at. @module */
import { by, element } from "./dom.js";
import { say } from "./strings.js";
import { View } from "./view.js";

export const DOUBTFUL_WORD = 0.7, DOUBTFUL_LETTER = 0.8;

/**
 * @typedef {{text: string, c: number, letters: number[], others: string[]}} Word
 * @typedef {{id: string, polygon: number[][], baseline: number[][], kind: string, text: string, confidence: number, type: string, words: Word[],
 *   alternatives: string[], now: string, done: boolean, version: number, others: string[], field?: FieldValue,
 *   trouble?: string}} Line trouble: why what was typed last is not kept
 * @typedef {{name: string, row: number, kind: string, pattern: string, doubtful: boolean, breaks: boolean}} FieldValue a line that is the value of a form's field
 * @typedef {{id: string, kind: string, polygon: number[][], lines: string[]}} Region
 * @typedef {{id: string, name: string, width: number, height: number, levels: number[][], layout: number, step: number,
 *   regions: Region[], kinds: string[], types: string[], lines: Line[]}} Page
 */

export const desk = {
  /** @type {any} */ state: { pages: [], scans: [] },
  /** @type {Page | null} */ page: null,
  /** @type {Line | null} */ line: null,
  leaving: false,
};

export const text = /** @type {HTMLTextAreaElement} */ (by("text"));
export const view = new View(by("view"));

const WARNING_MS = 20_000;
let warning = "", said = "", bad = false;
/** What was refused, said until somebody has seen it: by the desk as its state tells, and what this window sent. */
/** @type {string[]} */ let refusals = [];
/** @type {string[]} */ let troubles = [];

/** Several refusals are counted, and listed below: a long list is not read out. */
function showNotice() {
  const all = [...refusals, ...troubles], wrong = bad || Boolean(warning || all.length);
  const told = all.length > 1 ? say("refusals", { count: all.length }) : all[0];
  by("notice").textContent = [warning, said, told].filter(Boolean).join(" · ");
  by("refusals").hidden = all.length < 2;
  by("refusal-list").replaceChildren(...(all.length > 1 ? all : []).map((words) => element("li", words)));
  by("told").className = wrong ? "bad" : "";
  by("notice-seen").hidden = !wrong;
}

/** @param {string[]} messages of all pages and files that the desk did not read and nobody has seen yet */
export function refuse(messages) {
  refusals = messages;
  showNotice();
}

/** @param {string} message */
export function trouble(message) {
  troubles.push(message);
  showNotice();
}

/** What somebody has seen is said no more. @param {string} id of a page or scan */
export const isSeen = (id) => seen.has(id);
const SEEN = "carrel-seen";
/** @type {Set<string>} */
const seen = new Set(JSON.parse(sessionStorage.getItem(SEEN) ?? "[]"));

by("notice-seen").addEventListener("click", () => {
  for (const told of [...desk.state.pages, ...desk.state.scans]) if (told.reason) seen.add(told.id);
  sessionStorage.setItem(SEEN, JSON.stringify([...seen]));
  [warning, refusals, troubles] = ["", [], []];
  notice("");
  (desk.line ? text : by("add")).focus();
});

/** @param {string} message @param {boolean} [wrong] */
export function notice(message, wrong = false) {
  [said, bad] = [message, wrong];
  showNotice();
}

/** Say what stands for a while, whatever else is said. @param {string} message */
export function warn(message) {
  warning = message;
  showNotice();
  if (by("scan-dialog").open) by("scan-state").textContent = message;
  setTimeout(() => {
    if (warning === message) warning = "";
    showNotice();
  }, WARNING_MS);
}

/** @param {Line} l */
export const doubtful = (l) => l.field ? l.field.doubtful : !l.text || l.confidence < 0.8 || l.words.some((w) => w.c < DOUBTFUL_WORD);
/** @param {Line} l */
export const kindOf = (l) => (l.done ? "done" : doubtful(l) ? "doubtful" : l.kind === "handwritten" ? "handwritten" : "printed");
export const mark = () => view.mark(kindOf, desk.line?.id ?? null);

/** @param {string} page @param {string} line @returns {Line | null} a line of the page that is looked at */
export function known(page, line) {
  return desk.page?.id === page ? desk.page.lines.find((l) => l.id === line) ?? null : null;
}
