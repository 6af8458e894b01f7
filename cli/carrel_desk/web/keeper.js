/** Keystrokes on their way to the desk's disk: what is not kept yet survives a reload of this window. @module */
import { ask } from "./dom.js";

/**
 * @typedef {{page: string, line: string, op: string, who: string, s: number, base: number, text: string, seconds: number}} Change
 */
const WAITING = "carrel-waiting", WHO = "carrel-who", LAST = "carrel-last";
const AGAIN_MS = 500, AT_ONCE = 20;

/** A random name; crypto.randomUUID is not there on pages of other machines, which come unencrypted. */
const newName = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
export const who = sessionStorage.getItem(WHO) ?? newName();
sessionStorage.setItem(WHO, who);

/** @type {Change[]} */
let waiting = JSON.parse(sessionStorage.getItem(WAITING) ?? "[]");
let last = Number(sessionStorage.getItem(LAST) ?? "0");
let sending = false;
/** Changes at the head of those that wait which are on their way. */
let inFlight = 0;
let away = false;
/** What no later try would change: the page or line is gone, the text is longer than is kept. */
const HOPELESS = [404, 413, 422];
/** @typedef {Change & {reason: string}} Refused */
/** @type {(told: any[], refused: Refused[]) => void} */
let listener = () => {};

/** @param {typeof listener} on */
export function onKept(on) {
  listener = on;
  send();
}

export const unkept = () => waiting;
export const isAway = () => away;

/** Wait until everything is kept; fails where the desk is away. */
export async function flushed() {
  for (let tries = 0; waiting.length; tries++) {
    if (away || tries > 200) throw new Error("not kept yet");
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Texts of one line that wait are one change. @param {Omit<Change, "who" | "s">} change */
export function keep(change) {
  last += 1;
  const tail = waiting[waiting.length - 1];
  const same = waiting.length > inFlight && tail && tail.op === "text" && change.op === "text" && tail.page === change.page && tail.line === change.line;
  if (same) waiting[waiting.length - 1] = { ...change, base: tail.base, who, s: last };
  else waiting.push({ ...change, who, s: last });
  store();
  listener([], []);
  send();
}

function store() {
  sessionStorage.setItem(WAITING, JSON.stringify(waiting));
  sessionStorage.setItem(LAST, String(last));
}

/** @param {Change[]} changes @returns {Promise<any[]>} */
const post = (changes) => ask("/api/keys", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(changes) });

async function send() {
  if (sending || !waiting.length) return;
  sending = true;
  const batch = waiting.slice(0, AT_ONCE);
  inFlight = batch.length;
  try {
    const told = await post(batch);
    waiting = waiting.slice(batch.length);
    away = false;
    store();
    sending = false;
    inFlight = 0;
    listener(told, []);
    send();
  } catch (error) {
    const status = /** @type {any} */ (error).status;
    const { told, refused } = HOPELESS.includes(status) ? await singly(batch) : { told: [], refused: [] };
    store();
    away = status === undefined || status >= 500;
    sending = false;
    inFlight = 0;
    listener(told, refused);
    if (waiting.length) setTimeout(send, AGAIN_MS);
  }
}

/**
 * One change that cannot be applied must not hold up the others.
 * @param {Change[]} batch @returns {Promise<{told: any[], refused: Refused[]}>} what was kept, and what was refused though its line is there
 */
async function singly(batch) {
  /** @type {any[]} */ const told = [];
  /** @type {Refused[]} */ const refused = [];
  for (const change of batch) {
    try {
      told.push(...await post([change]));
    } catch (error) {
      const { status, message } = /** @type {any} */ (error);
      if (!HOPELESS.includes(status)) break;
      if (status !== 404) refused.push({ ...change, reason: message });
    }
    waiting = waiting.filter((other) => other !== change);
  }
  return { told, refused };
}
