/** Learning a hand from the corrections at this desk: offered, started, shown before and after, used. @module */
import { ask, by, element } from "./dom.js";
import { desk, notice } from "./desk.js";
import { say } from "./strings.js";

/** @type {any} */ let state = null;
let refused = false;

export async function refreshLearning() {
  state = await ask("/api/learning").catch(() => null);
  show();
}

/** @param {"start" | "cancel" | "use"} what */
async function wish(what) {
  try {
    state = await ask("/api/learning", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ do: what }) });
  } catch (error) {
    notice(say("failed", { reason: /** @type {Error} */ (error).message }), true);
  }
  show();
}

/** @param {string} words @param {[string, () => void][]} buttons */
function tell(words, ...buttons) {
  const box = by("learning");
  if (box.dataset.words === words) return;  // what has not changed is not read out again
  box.dataset.words = words;
  box.replaceChildren(element("span", words), ...buttons.map(([name, action]) => {
    const button = element("button", say(name));
    button.addEventListener("click", action);
    return button;
  }));
}

function show() {
  by("learning").hidden = !state || !desk.page || (state.state === "idle" && (!state.possible || refused));
  if (!state) return;
  const { lines, percent, kept, before, after, problem } = state;
  const again = /** @type {[string, () => void]} */ (["learnAgain", () => wish("start")]);
  if (state.state === "running") tell(say("learning", { percent }), ["cancel", () => wish("cancel")]);
  else if (state.state === "better" && state.used) tell(say("learnUsed", { kept, before, after }), again);
  else if (state.state === "better") tell(say("learnBetter", { kept, before, after }), ["learnUse", () => wish("use")], again);
  else if (state.state === "not better") tell(say("learnWorse", { kept, before, after }), again);
  else if (state.state === "failed") tell(say("learnFailed", { reason: problem }), again);
  else {
    const no = /** @type {[string, () => void]} */ (["sameNo", () => ((refused = true), show())]);
    tell(say(state.offered ? "learnOffer" : "learnPossible", { lines }), ["learnStart", () => wish("start")], no);
  }
}

document.addEventListener("state", () => {
  by("learning").dataset.words = "";
  show();
});
