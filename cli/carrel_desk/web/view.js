/** The page's picture: tiles of the resolution that is looked at, lines over them; wheel, touch and keys. @module */
import { by, svg } from "./dom.js";

const TILE = 512;

/** Put the tiles that a view box shows into a group. @param {any} page @param {SVGElement} group @param {number[]} box @param {number} scale screen px for each px of the scan */
export function drawTiles(page, group, box, scale) {
  const level = Math.max(0, Math.min(page.levels.length - 1, Math.floor(Math.log2(1 / Math.max(scale, 1e-6)))));
  const size = TILE * 2 ** level, [columns, rows] = page.levels[level];
  const [x, y, width, height] = box;
  const wanted = new Set();
  for (let row = Math.max(0, Math.floor(y / size)); row < Math.min(rows, (y + height) / size); row++) {
    for (let column = Math.max(0, Math.floor(x / size)); column < Math.min(columns, (x + width) / size); column++) {
      const href = `/api/pages/${page.id}/tiles/${level}/${column}/${row}`;
      wanted.add(href);
      if (group.querySelector(`[href="${href}"]`)) continue;
      const right = Math.min(page.width, (column + 1) * size), bottom = Math.min(page.height, (row + 1) * size);
      group.append(svg("image", { href, x: column * size, y: row * size, width: right - column * size, height: bottom - row * size, preserveAspectRatio: "none" }));
    }
  }
  for (const image of [...group.children]) {
    if (!wanted.has(image.getAttribute("href"))) image.remove();
  }
}

export class View {
  /** @param {SVGSVGElement} root */
  constructor(root) {
    this.root = root;
    this.tiles = svg("g", {});
    this.lines = svg("g", {});
    this.overlay = svg("g", { "pointer-events": "none" });
    root.append(this.tiles, this.lines, this.overlay);
    /** What a click on a line does. @type {(line: string, event: MouseEvent) => void} */
    this.onLine = () => {};
    /** Keys that somebody else takes first. @type {(event: KeyboardEvent) => boolean} */
    this.onKey = () => false;
    /** Who takes one pointer instead of moving the page: told where it went down, where it is, and when it went up.
     * @type {((at: number[], from: number[], up: boolean) => void) | null} */
    this.drawing = null;
    /** @type {number[] | null} */
    this.from = null;
    /** @type {any} */
    this.page = null;
    this.box = [0, 0, 1, 1];
    /** @type {Map<number, PointerEvent>} */
    this.touches = new Map();
    this.moved = 0;
    root.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    root.addEventListener("pointerdown", (event) => this.down(event));
    root.addEventListener("pointermove", (event) => this.move(event));
    for (const kind of ["pointerup", "pointercancel"]) root.addEventListener(kind, (event) => this.up(/** @type {PointerEvent} */ (event)));
    root.addEventListener("keydown", (event) => this.key(event));
    this.lines.addEventListener("click", (event) => {
      const line = /** @type {Element} */ (event.target).getAttribute("data-line");
      if (line && this.moved < 6) this.onLine(line, event);
    });
    new ResizeObserver(() => this.draw()).observe(root);
  }

  /** @param {any} page @param {boolean} [keep] what is looked at stays */
  show(page, keep = false) {
    this.page = page;
    if (!keep) this.tiles.replaceChildren();
    this.lines.replaceChildren();
    this.overlay.replaceChildren();
    if (!page) return;
    for (const line of page.lines) this.lines.append(svg("polygon", { points: line.polygon.map((/** @type {number[]} */ p) => p.join(",")).join(" "), "data-line": line.id }));
    if (!keep) this.whole();
  }

  /** Where on the page a pointer is, in px of the scan. @param {MouseEvent} event @returns {number[]} */
  toPage(event) {
    const bounds = this.root.getBoundingClientRect(), scale = this.scale, [x, y, w, h] = this.box;
    return [x + w / 2 + (event.clientX - bounds.x - bounds.width / 2) / scale, y + h / 2 + (event.clientY - bounds.y - bounds.height / 2) / scale];
  }

  /** @param {(line: any) => string} kindOf @param {string | null} present */
  mark(kindOf, present) {
    if (!this.page) return;
    this.page.lines.forEach((/** @type {any} */ line, /** @type {number} */ i) =>
      this.lines.children[i].setAttribute("class", kindOf(line) + (line.id === present ? " present" : "")));
  }

  whole() {
    if (this.page) this.box = [0, 0, this.page.width, this.page.height];
    this.draw();
  }

  get scale() {
    const { width, height } = this.root.getBoundingClientRect();
    return Math.min(width / this.box[2], height / this.box[3]) || 1;
  }

  draw() {
    if (!this.page) return;
    const { width, height } = this.root.getBoundingClientRect();
    this.root.setAttribute("viewBox", this.box.join(" "));
    const scale = this.scale, [x, y, w, h] = this.box;
    const shown = [x + w / 2 - width / scale / 2, y + h / 2 - height / scale / 2, width / scale, height / scale];
    drawTiles(this.page, this.tiles, shown, scale * devicePixelRatio);
  }

  /** @param {number} factor @param {number} [clientX] @param {number} [clientY] */
  zoom(factor, clientX, clientY) {
    if (!this.page) return;
    const bounds = this.root.getBoundingClientRect(), scale = this.scale, [x, y, w, h] = this.box;
    const most = Math.max(this.page.width, this.page.height) * 1.2;
    const width = Math.min(most, Math.max(80, w / factor)), ratio = width / w;
    const atX = x + w / 2 + ((clientX ?? bounds.x + bounds.width / 2) - bounds.x - bounds.width / 2) / scale;
    const atY = y + h / 2 + ((clientY ?? bounds.y + bounds.height / 2) - bounds.y - bounds.height / 2) / scale;
    this.box = [atX + (x - atX) * ratio, atY + (y - atY) * ratio, width, h * ratio];
    this.draw();
  }

  /** @param {number} dx @param {number} dy in px of the screen */
  pan(dx, dy) {
    const scale = this.scale;
    this.box = [this.box[0] - dx / scale, this.box[1] - dy / scale, this.box[2], this.box[3]];
    this.draw();
  }

  /** Bring a line into view without changing the zoom. @param {any} line */
  reveal(line) {
    if (!this.page) return;
    const [left, top, right, bottom] = extent(line.polygon), [x, y, w, h] = this.box;
    if (w >= this.page.width && h >= this.page.height) return;
    if (left < x || right > x + w) this.box[0] = Math.max(left - 20, (left + right - w) / 2);
    if (top < y || bottom > y + h) this.box[1] = (top + bottom - h) / 2;
    this.draw();
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    event.preventDefault();
    if (event.shiftKey) this.pan(-event.deltaY, 0);
    else this.zoom(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
  }

  /** @param {PointerEvent} event */
  down(event) {
    this.moved = 0;
    this.touches.set(event.pointerId, event);
    this.from = this.drawing && this.touches.size === 1 ? this.toPage(event) : null;
  }

  /** @param {PointerEvent} event */
  up(event) {
    this.touches.delete(event.pointerId);
    if (this.from && this.moved >= 6) this.drawing?.(this.toPage(event), this.from, true);
    this.from = null;
  }

  /** @param {PointerEvent} event */
  move(event) {
    const before = this.touches.get(event.pointerId);
    if (!before) return;
    const dx = event.clientX - before.clientX, dy = event.clientY - before.clientY;
    this.moved += Math.abs(dx) + Math.abs(dy);
    if (this.moved >= 6 && !this.root.hasPointerCapture(event.pointerId)) this.root.setPointerCapture(event.pointerId);
    const other = [...this.touches.values()].find((touch) => touch.pointerId !== event.pointerId);
    this.touches.set(event.pointerId, event);
    if (!other) {
      if (this.from) this.drawing?.(this.toPage(event), this.from, false);
      else this.pan(dx, dy);
      return;
    }
    const apart = (/** @type {PointerEvent} */ p) => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY);
    this.zoom(apart(event) / (apart(before) || 1), (event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (this.onKey(event)) {
      event.preventDefault();
      return;
    }
    const steps = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    const step = /** @type {any} */ (steps)[event.key];
    if (step && !event.altKey) this.pan(step[0], step[1]);
    else if (event.key === "+") this.zoom(1.25);
    else if (event.key === "-") this.zoom(0.8);
    else if (event.key === "0") this.whole();
    else return;
    event.preventDefault();
  }
}

/** @param {number[][]} points */
export function extent(points) {
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** Show a line's part of the page; a long line in up to three rows, each overlapping the next a little. @param {any} page @param {any} line */
export function showStrip(page, line) {
  const root = by("strip"), width = root.getBoundingClientRect().width;
  const [left, top, right, bottom] = extent(shownOf(page, line)), pad = Math.max(4, (bottom - top) * (line.field ? 0.3 : 0.1));
  const height = bottom - top + 2 * pad, long = right - left + 2 * pad;
  const rows = Math.max(1, Math.min(3, Math.round((long * ROW_PX) / height / width)));
  const part = rows === 1 ? long : long / rows + height, step = rows === 1 ? 0 : (long - part) / (rows - 1);
  const rowHeight = Math.min(110, Math.max(40, (height * width) / part));
  root.style.height = `${rows * rowHeight}px`;
  root.setAttribute("viewBox", `0 0 ${width} ${rows * rowHeight}`);
  root.replaceChildren();
  for (let row = 0; row < rows; row++) {
    const box = [left - pad + row * step, top - pad, part, height];
    const inner = svg("svg", { x: 0, y: row * rowHeight, width, height: rowHeight, viewBox: box.join(" ") });
    const group = svg("g", {});
    inner.append(group);
    root.append(inner);
    drawTiles(page, group, box, Math.min(width / part, rowHeight / height) * devicePixelRatio);
  }
}

/** A value is shown with all of its field's box, and each mark of a choice with the others. @param {any} page @param {any} line @returns {number[][]} */
function shownOf(page, line) {
  const region = line.field && page.regions.find((/** @type {any} */ r) => r.lines.includes(line.id));
  return region ? [...region.polygon, ...line.polygon] : line.polygon;
}

/** Height that a row of a strip should have at least. */
const ROW_PX = 60;
