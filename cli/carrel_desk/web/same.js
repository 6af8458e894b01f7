/** Errors that return: a correction that was made once is offered wherever the same was read. @module */
import { ask, by, element } from "./dom.js";
import { undoable } from "./changes.js";
import { known, mark, text } from "./desk.js";
import { flushed, keep } from "./keeper.js";
import { goTo } from "./pages.js";
import { say } from "./strings.js";
/** @typedef {{page: string, line: string, text: string, changed: string}} Elsewhere */
/** @typedef {{wrong: string, right: string, lines: Elsewhere[]}} Returning */

let groups = 0;

/** @param {string} page @param {import("./desk.js").Line} line */
export async function offerSame(page, line) {
  by("same").replaceChildren();
  if (!line.text || line.now === line.text) return;
  try {
    await flushed();
    const found = await ask(`/api/pages/${page}/lines/${encodeURIComponent(line.id)}/same`);
    by("same").replaceChildren(...found.map(offer));
  } catch {
    // an offer less
  }
}

/** @param {Returning} found */
function offer(found) {
  const box = element("div", "", "bar"), { wrong, right, lines } = found;
  const all = element("button", say("sameAll", { count: lines.length }));
  const look = element("button", say("sameLook"));
  const no = element("button", say("sameNo"));
  all.addEventListener("click", () => {
    changeAll(found);
    box.replaceChildren(element("span", say("sameDone", { count: lines.length, right })));
    text.focus();
  });
  let at = 0;
  look.addEventListener("click", () => {
    const there = lines[at++ % lines.length];
    goTo(there.page, there.line);
  });
  no.addEventListener("click", () => {
    box.remove();
    text.focus();
  });
  box.append(element("span", say("same", { wrong, right, count: lines.length })), all, look, no);
  return box;
}

/** @param {Returning} found */
function changeAll({ lines }) {
  const group = (groups += 1);
  for (const { page, line, text: before, changed } of lines) {
    const here = known(page, line);
    if (here && here.now !== before) continue;  // somebody was here meanwhile
    undoable({ page, line, text: before, done: false, typed: -1e9, group });
    keep({ page, line, op: "text", base: here?.version ?? 0, text: changed, seconds: 0 });
    if (here) here.now = changed;
  }
  mark();
}

/** Take the first offer by key. */
export function takeSame() {
  by("same").querySelector("button")?.click();
}
