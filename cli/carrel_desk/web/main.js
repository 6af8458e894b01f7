/** The desk's page: keys, buttons, and what the desk tells. @module */
import { finish, first, move, next, readQueue, remember, setText, takeBack, typed } from "./changes.js";
import { ask, by, element } from "./dom.js";
import { desk, known, mark, notice, text, view } from "./desk.js";
import { addDropped, addFiles, openScanner } from "./intake.js";
import { openCamera } from "./camera.js";
import { openForm, showForm } from "./form.js";
import { unkept, who } from "./keeper.js";
import { startKiosk } from "./kiosk.js";
import { show as showLayout, toggleEditing } from "./layout.js";
import { refreshLearning } from "./learn.js";
import { nextReading, showAround, showLine, showOthers } from "./line.js";
import { goTo, refresh, reloadPage, sayProgress, sayQuality, showPage } from "./pages.js";
import { takeSame } from "./same.js";
import { fillFormats, save } from "./save.js";
import { LANGUAGES, say, setLanguage } from "./strings.js";
import { showStrip } from "./view.js";
import { nextDoubt, nextOfWord } from "./words.js";

// Keys

text.addEventListener("beforeinput", () => desk.line && remember());
text.addEventListener("input", () => desk.line && typed());
text.addEventListener("keydown", (event) => {
  if (!desk.line || event.isComposing) return;
  if (event.key === "Enter") finish();
  else if (event.key === "F2") nextDoubt(event.shiftKey ? -1 : 1);
  else if (event.key === "F3") nextOfWord();
  else if (event.key === "F4") nextReading();
  else if (event.key === "Escape") setText(desk.line.text);
  else return;
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  const control = event.ctrlKey || event.metaKey;
  if (!desk.page || document.querySelector("dialog[open]")) return;
  if (event.altKey && event.key === "ArrowUp") move(-1);
  else if (event.altKey && event.key === "ArrowDown") move(1);
  else if (event.key === "F7") takeSame();
  else if (event.key === "F8") toggleEditing();
  else if (control && event.key === "z") takeBack();
  else if (control && (event.key === "+" || event.key === "=")) view.zoom(1.25);
  else if (control && event.key === "-") view.zoom(0.8);
  else if (control && event.key === "0") view.whole();
  else return;
  event.preventDefault();
});
const KEYS = [
  ["Enter", "keyEnter"], ["Ctrl+Enter", "keyConfirm"], ["F2", "keyDoubt"], ["F3", "keyWord"], ["F4", "keyOther"], ["Esc", "keyBack"], ["Alt+↑ ↓", "keyMove"],
  ["Ctrl+Z", "keyUndo"], ["Ctrl+ + − 0", "keyZoom"], ["F7", "keySame"], ["F8", "keyEdit"], ["↑ ↓", "keyEditMove"], ["Shift+↑ ↓", "keyEditOrder"],
  ["S, J, A, Del", "keyEditLines"], ["␣", "keyEditMark"], ["T, R, N", "keyEditTypes"],
];

// Buttons

/** @param {string} name @param {() => void} action */
const on = (name, action) => by(name).addEventListener("click", action);
on("add", () => by("files").click());
by("files").addEventListener("change", () => addFiles(by("files").files));
on("scan", openScanner);
on("camera", openCamera);
on("fields", openForm);
on("right", finish);
on("next", () => next());
on("previous", () => move(-1));
on("undo", takeBack);
on("smaller", () => view.zoom(0.8));
on("larger", () => view.zoom(1.25));
on("whole", () => view.whole());
for (const name of ["negative", "contrast"]) {
  on(name, () => by(name).setAttribute("aria-pressed", String(document.body.classList.toggle(name))));
}
let removeAt = -1e9;
on("remove", async () => {
  if (performance.now() - removeAt > 5000) {
    removeAt = performance.now();
    notice(say("removeSure"), true);
    return;
  }
  await ask(`/api/pages/${desk.page?.id}`, { method: "DELETE" });
  await refresh();
});
on("save", save);
export async function leave() {
  desk.leaving = true;
  const told = await ask("/api/leave", { method: "POST" });
  sessionStorage.clear();
  localStorage.clear();
  location.replace(told.next);
}
on("leave", leave);
by("pages").addEventListener("change", () => showPage(by("pages").value));
by("order").addEventListener("change", () => readQueue().then(() => first() && goTo(first().page, first().line)));
by("language").addEventListener("change", () => speak(by("language").value));
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", kind === "dragover");
    if (kind === "drop") addDropped(/** @type {DragEvent} */ (event).dataTransfer);
  });
}

/** @param {string} language */
function speak(language) {
  setLanguage(language);
  by("language").value = language;
  localStorage.setItem("carrel-language", language);
  by("keys").replaceChildren(...KEYS.flatMap(([key, name]) => [element("dt", key.replace(/[A-Z][a-z]+/g, (word) => say(word))), element("dd", say(name))]));
  fillFormats();
  showForm();
  sayProgress();
  sayQuality();
  by("layout-kept").textContent = "";
  if (desk.line) showLine(desk.line);
  showLayout();
  document.dispatchEvent(new Event("state"));
}

// What the desk tells

addEventListener("resize", () => desk.line && desk.page && showStrip(desk.page, desk.line));

const events = new EventSource("/api/events");
events.addEventListener("pages", refresh);
events.addEventListener("left", () => desk.leaving || location.replace("/left"));
events.addEventListener("learning", refreshLearning);
events.addEventListener("form", () => refresh().then(() => desk.page && reloadPage(desk.page.id)));
events.addEventListener("layout", (event) => {
  const told = JSON.parse(event.data);
  if (told.who !== who) reloadPage(told.page);
});
events.addEventListener("line", (event) => {
  const told = JSON.parse(event.data), line = known(told.page, told.line);
  if (!line || told.who === who) return;
  const typing = line === desk.line && (unkept().length || text.value !== line.now);
  Object.assign(line, { now: typing ? line.now : told.now ?? line.text, done: told.done, others: told.others });
  mark();
  if (line === desk.line && !typing) {
    text.value = line.now;
    line.version = told.version;
    showOthers();
  } else if (line !== desk.line) line.version = told.version;
});
events.addEventListener("error", () => notice(say("away"), true));
events.addEventListener("open", refresh);

// Start

desk.state = await ask("/api/state").catch(() => desk.state);
const wanted = navigator.language.slice(0, 2);
speak(localStorage.getItem("carrel-language") ?? (LANGUAGES.includes(wanted) ? wanted : "en"));
await refresh();
await refreshLearning();
if (desk.line) showAround();
if (desk.state.kiosk_idle_s) startKiosk(desk.state.kiosk_idle_s, leave);
document.body.dataset.ready = "yes";
