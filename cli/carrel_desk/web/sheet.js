/** A sheet of paper in a camera's picture: where its corners are, and whether it is sharp. @module */

const LEAST_SHARE = 0.12, EDGE_PX = 2;
const SHARP = 0.2;
/** Steepest change from pixel to pixel (99th percentile) as a share of the contrast. 15 scans of archives at 1,400 px of width had
 * 0.22 to 0.44, blurred by a Gaussian of 2 px all but two under 0.2. */
const LEAST_CONTRAST = 25;

/** @typedef {{data: Uint8ClampedArray, width: number, height: number}} Picture RGBA */

/** @param {Picture} picture */
function green({ data, width, height }) {
  const gray = new Uint8Array(width * height);
  for (let i = 0; i < gray.length; i++) gray[i] = data[4 * i + 1];
  return gray;
}

/** The gray value between dark and light, by Otsu (doi:10.1109/TSMC.1979.4310076). @param {Uint8Array} gray */
export function otsu(gray) {
  const counts = new Float64Array(256);
  for (const value of gray) counts[value] += 1;
  let sum = 0;
  counts.forEach((count, value) => (sum += count * value));
  let below = 0, sumBelow = 0, best = -1, threshold = 127;
  for (let value = 0; value < 255; value++) {
    below += counts[value];
    sumBelow += counts[value] * value;
    const above = gray.length - below;
    if (!below || !above) continue;
    const between = below * above * (sumBelow / below - (sum - sumBelow) / above) ** 2;
    if (between > best) [best, threshold] = [between, value];
  }
  return threshold;
}

/** Pixels of the largest connected light part. @param {Uint8Array} gray @param {number} width @param {number} threshold */
function largest(gray, width, threshold) {
  const seen = new Uint8Array(gray.length), stack = new Int32Array(gray.length);
  /** @type {number[]} */ let best = [];
  for (let start = 0; start < gray.length; start++) {
    if (seen[start] || gray[start] <= threshold) continue;
    /** @type {number[]} */ const part = [];
    let depth = 0;
    stack[depth++] = start;
    seen[start] = 1;
    while (depth) {
      const at = stack[--depth], x = at % width;
      part.push(at);
      for (const next of [x ? at - 1 : -1, x < width - 1 ? at + 1 : -1, at - width, at + width]) {
        if (next < 0 || next >= gray.length || seen[next] || gray[next] <= threshold) continue;
        seen[next] = 1;
        stack[depth++] = next;
      }
    }
    if (part.length > best.length) best = part;
  }
  return best;
}

/** Corners of the sheet, from top left clockwise, in px of the picture; null where none lies there. ``whole`` tells whether all of it is seen.
 * @param {Picture} picture @returns {{corners: number[][], whole: boolean} | null} */
export function findSheet(picture) {
  const { width, height } = picture, gray = green(picture), part = largest(gray, width, otsu(gray));
  if (part.length < LEAST_SHARE * width * height) return null;
  const most = [-Infinity, -Infinity, -Infinity, -Infinity], corners = [[0, 0], [0, 0], [0, 0], [0, 0]];
  for (const at of part) {
    const x = at % width, y = Math.floor(at / width);
    [-x - y, x - y, x + y, y - x].forEach((reach, i) => {
      if (reach > most[i]) [most[i], corners[i]] = [reach, [x, y]];
    });
  }
  /** @param {number[]} corner */
  const inside = ([x, y]) => x >= EDGE_PX && y >= EDGE_PX && x < width - EDGE_PX && y < height - EDGE_PX;
  return { corners, whole: corners.every(inside) };
}

/** Whether a part of the picture, at the camera's own resolution, is sharp; null where nothing is written there.
 * @param {Picture} picture @returns {boolean | null} */
export function isSharp(picture) {
  const { width, height } = picture, gray = green(picture), steps = new Uint8Array(gray.length);
  for (let y = 0; y < height; y++) {
    for (let x = 1; x < width - 1; x++) steps[y * width + x] = Math.abs(gray[y * width + x + 1] - gray[y * width + x - 1]) / 2;
  }
  const contrast = percentile(gray, 0.99) - percentile(gray, 0.01);
  return contrast < LEAST_CONTRAST ? null : percentile(steps, 0.99) / contrast >= SHARP;
}

/** @param {Uint8Array} values @param {number} share */
function percentile(values, share) {
  const counts = new Uint32Array(256);
  for (const value of values) counts[value] += 1;
  let left = share * values.length, value = 0;
  while (value < 255 && (left -= counts[value]) > 0) value += 1;
  return value;
}
