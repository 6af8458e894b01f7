/** The page itself, corrected: types, reading order, lines split, joined, added and deleted, by mouse and by keys. @module */
import { ask, by, element, svg } from "./dom.js";
import { move, undoable } from "./changes.js";
import { desk, mark, notice, text, view } from "./desk.js";
import { flushed, who } from "./keeper.js";
import { showLine } from "./line.js";
import { exchangePage, goTo, reloadPage } from "./pages.js";
import { band, height, nearest, pointAt, usualHeight } from "./shapes.js";
import { say } from "./strings.js";
/** @typedef {import("./desk.js").Line} Line */
/** @typedef {import("./desk.js").Page} Page */

let editing = false, busy = false;
/** @typedef {"" | "split" | "add" | "order"} Tool */
/** @type {Tool} */ let tool = "";
/** Where the present line would be split, as a share of its length. */ let cut = 0.5;
/** A line that would be added. @type {{baseline: number[][], height: number} | null} */ let proposal = null;
/** Lines to be joined. @type {Set<string>} */ const marked = new Set();
/** The line after which the next clicked one is read. @type {string | null} */ let anchor = null;

const TOOLS = ["earlier", "later", "order", "split", "join", "mark", "add", "delete", "own", "region-earlier", "region-later"];
const BELOW_SHARE = 0.25;
/** Share of a line's height under its baseline. */

// Asking the desk

/** @param {string} pageId @param {object} wish */
async function post(pageId, wish) {
  busy = true;
  by("layout-kept").textContent = say("keeping");
  try {
    await flushed();
    const made = await ask(`/api/pages/${pageId}/layout`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ who, ...wish }) });
    by("layout-kept").textContent = say("kept");
    if (desk.page?.id === pageId) exchangePage(made);
    return made;
  } catch (error) {
    by("layout-kept").textContent = "";
    notice(say("layoutFailed", { reason: /** @type {Error} */ (error).message }), true);
    if (/** @type {any} */ (error).status === 409) await reloadPage(pageId);
    return null;
  } finally {
    busy = false;
    show();
  }
}

/** @param {object} change @param {string[]} [lines] those whose texts it is about */
async function lay(change, lines = []) {
  const page = desk.page;
  if (!page || busy) return null;
  await flushed().catch(() => {});
  const versions = Object.fromEntries(page.lines.filter((l) => lines.includes(l.id)).map((l) => [l.id, l.version]));
  const made = await post(page.id, { base: page.layout, versions, change });
  if (made) undoable({ page: page.id, line: "", text: "", done: false, typed: -1e9, step: made.step });
  return made;
}

/** Take back a step of this window. @param {string} pageId @param {number} step */
export async function layBack(pageId, step) {
  if (desk.page?.id !== pageId) await goTo(pageId, "");
  await post(pageId, { base: 0, change: null, back: step });
}

// What can be done

/** @param {Line} line */
const regionOf = (line) => desk.page?.regions.find((r) => r.lines.includes(line.id));

/** @param {number} step earlier or later in reading order, into the next region where its own ends */
async function shift(step) {
  const { page, line } = desk, region = line && regionOf(line);
  if (!page || !line || !region) return;
  const place = region.lines.indexOf(line.id) + step;
  if (place >= 0 && place < region.lines.length) return lay({ op: "move", line: line.id, region: region.id, place });
  const texts = page.regions.filter((r) => r.lines.length), other = texts[texts.indexOf(region) + step];
  if (other) await lay({ op: "move", line: line.id, region: other.id, place: step < 0 ? other.lines.length : 0 });
}

/** @param {number} step */
async function shiftRegion(step) {
  const { page, line } = desk, region = line && regionOf(line);
  if (!page || !region) return;
  const place = page.regions.indexOf(region) + step;
  if (place >= 0 && place < page.regions.length) await lay({ op: "move_region", region: region.id, place });
}

async function join() {
  const { page, line } = desk;
  if (!page || !line) return;
  const next = page.lines[page.lines.indexOf(line) + 1];
  const lines = marked.size > 1 ? [...marked] : marked.size && !marked.has(line.id) ? [...marked, line.id] : next ? [line.id, next.id] : [];
  if (lines.length < 2) return;
  if (await lay({ op: "join", lines }, lines)) marked.clear();
  show();
}

/** @param {number} share */
async function split(share) {
  const line = desk.line;
  choose("");
  if (line) await lay({ op: "split", line: line.id, at: Math.min(0.999, Math.max(0.001, share)) }, [line.id]);
}

async function add() {
  const drawn = proposal;
  if (!drawn) return;
  const baseline = drawn.baseline.map((p) => p.map(Math.round)), below = Math.max(1, Math.round(drawn.height * BELOW_SHARE));
  choose("");
  await lay({ op: "add", baseline, above_px: Math.max(1, Math.round(drawn.height) - below), below_px: below });
}

/** @param {Line} line */
async function readAfter(line) {
  const page = desk.page, before = page?.lines.find((l) => l.id === anchor), region = before && regionOf(before);
  anchor = line.id;
  if (!before || !region || before === line) return show();
  const others = region.lines.filter((id) => id !== line.id);
  await lay({ op: "move", line: line.id, region: region.id, place: others.indexOf(before.id) + 1 });
}

const ACTIONS = /** @type {Record<string, () => unknown>} */ ({
  earlier: () => shift(-1),
  later: () => shift(1),
  order: () => choose(tool === "order" ? "" : "order"),
  split: () => choose(tool === "split" ? "" : "split"),
  join,
  mark: toggleMark,
  add: () => choose(tool === "add" ? "" : "add"),
  delete: () => desk.line && lay({ op: "delete", line: desk.line.id }, [desk.line.id]),
  own: () => desk.line && lay({ op: "own_region", line: desk.line.id, kind: by("region-kind").value || "MainZone" }),
  "region-earlier": () => shiftRegion(-1),
  "region-later": () => shiftRegion(1),
  confirm: () => (tool === "add" ? add() : tool === "split" ? split(cut) : choose("")),
  cancel: () => choose(""),
});

function toggleMark() {
  if (!desk.line) return;
  if (!marked.delete(desk.line.id)) marked.add(desk.line.id);
  show();
}

/** @param {Tool} wanted */
function choose(wanted) {
  tool = wanted;
  cut = 0.5;
  anchor = wanted === "order" ? desk.line?.id ?? null : null;
  proposal = wanted === "add" ? proposed() : null;
  view.drawing = wanted === "add" ? draw : null;
  by("layout-kept").textContent = wanted ? say(`${wanted}How`) : "";
  show();
  view.root.focus({ preventScroll: true });
}

/** A line as high and long as the present one, right under it; above it at the foot of the page. */
function proposed() {
  const { page, line } = desk;
  if (!page) return null;
  const tall = line ? height(line) : usualHeight(page);
  if (!line) return { baseline: [[page.width * 0.1, page.height * 0.1], [page.width * 0.9, page.height * 0.1]], height: tall };
  const ends = [line.baseline[0], line.baseline[line.baseline.length - 1]];
  const down = Math.max(...ends.map((end) => end[1])) + tall < page.height ? tall : -tall;
  return { baseline: ends.map(([x, y]) => [x, y + down]), height: tall };
}

/** A line drawn along its feet. @param {number[]} at @param {number[]} from */
function draw(at, from) {
  if (!desk.page) return;
  proposal = { baseline: at[0] >= from[0] ? [from, at] : [at, from], height: proposal?.height ?? usualHeight(desk.page) };
  show();
}

// Showing it

/** Draw what editing shows over the page, and set the tools. */
export function show() {
  const { page, line } = desk;
  view.overlay.replaceChildren();
  by("tools").hidden = !editing || !page;
  by("edit").setAttribute("aria-pressed", String(editing));
  view.root.classList.toggle("editing", editing);
  by("picture").classList.toggle("editing", editing);
  if (!editing || !page) return;
  for (const id of marked) if (!page.lines.some((l) => l.id === id)) marked.delete(id);
  showTools(page, line);
  const size = usualHeight(page) * 0.6;
  for (const region of page.regions) if (region.polygon.length) view.overlay.append(shape("polygon", region.polygon, "region"));
  view.overlay.append(shape("polyline", page.lines.map((l) => l.baseline[0]), "order"));
  page.lines.forEach((l, i) => {
    if (marked.has(l.id)) view.overlay.append(shape("polygon", l.polygon, "marked"));
    const number = svg("text", { x: l.baseline[0][0], y: l.baseline[0][1], "font-size": size, class: l.id === anchor ? "number anchor" : "number" });
    number.textContent = String(i + 1);
    view.overlay.append(number);
  });
  if (tool === "split" && line) view.overlay.append(shape("polyline", pointAt(line, cut).across, "cut"));
  if (proposal) view.overlay.append(shape("polygon", band(proposal, BELOW_SHARE), "proposal"), shape("polyline", proposal.baseline, "cut"));
}

/** @param {string} name @param {number[][]} points @param {string} kind */
const shape = (name, points, kind) => svg(name, { points: points.map((p) => p.join(",")).join(" "), class: kind });

/** @param {Page} page @param {Line | null} line */
function showTools(page, line) {
  const region = line ? regionOf(line) : null;
  fill("region-kind", page.kinds, region?.kind);
  fill("line-type", page.types, line?.type);
  for (const name of TOOLS) by(`do-${name}`).disabled = busy || (!line && name !== "add");
  for (const name of ["order", "split", "add"]) by(`do-${name}`).setAttribute("aria-pressed", String(tool === name));
  by("do-mark").setAttribute("aria-pressed", String(Boolean(line && marked.has(line.id))));
  for (const name of ["confirm", "cancel"]) by(`do-${name}`).hidden = !tool || (name === "confirm" && tool === "order");
}

/** @param {string} id @param {string[]} values @param {string | undefined} chosen */
function fill(id, values, chosen) {
  const all = chosen === undefined || values.includes(chosen) ? values : [chosen, ...values];
  by(id).replaceChildren(...all.map((value) => Object.assign(element("option", say(value)), { value })));
  by(id).value = chosen ?? "";
  by(id).disabled = chosen === undefined;
}

// Mouse and keys

view.onLine = (id, event) => {
  const line = desk.page?.lines.find((l) => l.id === id) ?? null;
  if (!line || busy) return;
  showLine(line, !editing);
  if (!editing) return;
  if (tool === "split") split(nearest(line, view.toPage(event)));
  else if (tool === "order") readAfter(line);
  else if (event.ctrlKey || event.metaKey || event.shiftKey) toggleMark();
};

/** @param {KeyboardEvent} event @returns {boolean} */
view.onKey = (event) => {
  if (!editing || event.ctrlKey || event.metaKey || event.altKey) return false;
  if (busy) return event.key !== "Tab";
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const step = /** @type {Record<string, number[]>} */ (arrows)[event.key];
  if (event.key === "Escape" && tool) choose("");
  else if (event.key === "Escape") text.focus();
  else if (event.key === "Enter" && tool) ACTIONS.confirm();
  else if (step && tool === "split") cut = Math.min(0.99, Math.max(0.01, cut + step[0] * (event.shiftKey ? 0.1 : 0.01)));
  else if (step && proposal) reshape(step, event.shiftKey);
  else if (step?.[1] && event.shiftKey) shift(step[1]);
  else if (step?.[1]) move(step[1], false);
  else if (event.key === "Delete") ACTIONS.delete();
  else if (event.key === " ") toggleMark();
  else if (KEYS[event.key.toLowerCase()]) KEYS[event.key.toLowerCase()]();
  else return false;
  show();
  return true;
};
const KEYS = /** @type {Record<string, () => unknown>} */ ({
  s: ACTIONS.split, j: ACTIONS.join, a: ACTIONS.add, o: ACTIONS.order, r: () => by("region-kind").focus(), t: () => by("line-type").focus(), n: ACTIONS.own,
});

/** Move the proposed line by a tenth of its height, or change its length and height. @param {number[]} step @param {boolean} size */
function reshape([dx, dy], size) {
  if (!proposal) return;
  const by_px = Math.max(1, proposal.height / 10), [first, last] = proposal.baseline;
  if (!size) proposal.baseline = proposal.baseline.map(([x, y]) => [x + dx * by_px, y + dy * by_px]);
  else if (dy) proposal.height = Math.max(4, proposal.height - dy * by_px);
  else proposal.baseline = [first, [Math.max(first[0] + 4, last[0] + 4 * dx * by_px), last[1]]];
}

export function toggleEditing() {
  editing = !editing;
  marked.clear();
  choose("");
  if (!editing) text.focus();
}

for (const [name, action] of Object.entries(ACTIONS)) by(`do-${name}`).addEventListener("click", () => action());
by("edit").addEventListener("click", toggleEditing);
by("region-kind").addEventListener("change", () => {
  const region = desk.line && regionOf(desk.line);
  if (region) lay({ op: "region_kind", region: region.id, kind: by("region-kind").value }).then(() => by("region-kind").focus());
});
by("line-type").addEventListener("change", () => {
  if (desk.line) lay({ op: "line_type", line: desk.line.id, type: by("line-type").value }).then(() => by("line-type").focus());
});
document.addEventListener("line", () => editing && show());
