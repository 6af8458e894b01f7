/** At a fixed station: when nobody sits there, everything is deleted. @module */
import { ask, by } from "./dom.js";
import { say } from "./strings.js";

const COUNTDOWN_S = 60, PRESENT_S = 15;

/** @param {number} idle_s @param {() => void} leave */
export function startKiosk(idle_s, leave) {
  const dialog = /** @type {HTMLDialogElement} */ (by("idle"));
  const countdown_s = Math.min(COUNTDOWN_S, idle_s);
  let since = performance.now();
  let leaving = false;
  let told = performance.now();
  const here = () => {
    since = performance.now();
    if (since - told > PRESENT_S * 1000) {
      told = since;
      ask("/api/queue").catch(() => {}); // the desk, too, should know that somebody is here
    }
    if (dialog.open) dialog.close();
  };
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) document.addEventListener(kind, here, { passive: true });
  by("stay").addEventListener("click", here);
  setInterval(() => {
    const idle = (performance.now() - since) / 1000;
    if (idle < idle_s || leaving) return;
    const left = Math.ceil(idle_s + countdown_s - idle);
    by("idle-text").textContent = say("idle", { seconds: Math.max(0, left) });
    if (!dialog.open) dialog.showModal();
    if (left <= 0) {
      leaving = true;
      navigator.clipboard?.writeText?.("").catch(() => {});
      leave();
    }
  }, 500);
}
