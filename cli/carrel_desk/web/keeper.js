/** Keystrokes on their way to the desk's disk: what is not kept yet survives a reload of this window. @module */
import { ask } from "./dom.js";

/**
 * @typedef {{page: string, line: string, op: string, who: string, s: number, base: number, text: string, seconds: number}} Change
 */
const WAITING = "carrel-waiting", WHO = "carrel-who", LAST = "carrel-last";
const AGAIN_MS = 500;

export const who = sessionStorage.getItem(WHO) ?? crypto.randomUUID();
sessionStorage.setItem(WHO, who);

/** @type {Change[]} */
let waiting = JSON.parse(sessionStorage.getItem(WAITING) ?? "[]");
let last = Number(sessionStorage.getItem(LAST) ?? "0");
let sending = false;
let away = false;
/** @type {(state: {count: number, away: boolean, told: any[]}) => void} */
let listener = () => {};

/** @param {typeof listener} on */
export function onKept(on) {
  listener = on;
  send();
}

export const unkept = () => waiting;

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
  const same = !sending && tail && tail.op === "text" && change.op === "text" && tail.page === change.page && tail.line === change.line;
  if (same) waiting[waiting.length - 1] = { ...change, base: tail.base, who, s: last };
  else waiting.push({ ...change, who, s: last });
  store();
  listener({ count: waiting.length, away, told: [] });
  send();
}

function store() {
  sessionStorage.setItem(WAITING, JSON.stringify(waiting));
  sessionStorage.setItem(LAST, String(last));
}

async function send() {
  if (sending || !waiting.length) return;
  sending = true;
  const batch = waiting.slice(0, 100);
  try {
    const told = await ask("/api/keys", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(batch) });
    waiting = waiting.slice(batch.length);
    away = false;
    store();
    sending = false;
    listener({ count: waiting.length, away, told });
    send();
  } catch (error) {
    const status = /** @type {any} */ (error).status;
    if (status === 404 || status === 422) waiting = waiting.filter((change) => !batch.includes(change) || batch.length > 1);
    if ((status === 404 || status === 422) && batch.length > 1) await singly(batch);
    store();
    away = status === undefined || status >= 500;
    sending = false;
    listener({ count: waiting.length, away, told: [] });
    if (waiting.length) setTimeout(send, AGAIN_MS);
  }
}

/** One change that cannot be applied, its page being gone, must not hold up the others. @param {Change[]} batch */
async function singly(batch) {
  for (const change of batch) {
    try {
      await ask("/api/keys", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify([change]) });
      waiting = waiting.filter((other) => other !== change);
    } catch (error) {
      const status = /** @type {any} */ (error).status;
      if (status !== 404 && status !== 422) return;
      waiting = waiting.filter((other) => other !== change);
    }
  }
}
