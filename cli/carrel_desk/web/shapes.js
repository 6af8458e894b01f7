/** Shapes of lines in px of the scan. @module */
/** @typedef {{baseline: number[][], polygon: number[][]}} Shape */

/** @param {number[][]} baseline */
function lengths(baseline) {
  return baseline.slice(1).map((p, i) => Math.hypot(p[0] - baseline[i][0], p[1] - baseline[i][1]));
}

/** Height of a line across its baseline. @param {Shape} line */
export function height(line) {
  const first = line.baseline[0], last = line.baseline[line.baseline.length - 1];
  const long = Math.hypot(last[0] - first[0], last[1] - first[1]) || 1;
  const down = line.polygon.map((p) => ((last[0] - first[0]) * (p[1] - first[1]) - (last[1] - first[1]) * (p[0] - first[0])) / long);
  return Math.max(...down) - Math.min(...down);
}

/** Median height of a page's lines; a fiftieth of the page where it has none. @param {{lines: Shape[], height: number}} page */
export function usualHeight(page) {
  const all = page.lines.map(height).sort((a, b) => a - b);
  return all.length ? all[Math.floor(all.length / 2)] : page.height / 50;
}

/** The point at a share of a line's length, and a stroke across the line there. @param {Shape} line @param {number} share */
export function pointAt(line, share) {
  const steps = lengths(line.baseline), tall = height(line);
  let left = share * steps.reduce((a, b) => a + b, 0), i = 0;
  while (i < steps.length - 1 && left > steps[i]) left -= steps[i++];
  const [x0, y0] = line.baseline[i], [x1, y1] = line.baseline[i + 1], part = left / (steps[i] || 1);
  const dx = (x1 - x0) / (steps[i] || 1), dy = (y1 - y0) / (steps[i] || 1);
  const x = x0 + part * (x1 - x0), y = y0 + part * (y1 - y0);
  return { x, y, across: [[x + dy * tall, y - dx * tall], [x - dy * tall * 0.4, y + dx * tall * 0.4]] };
}

/** The share of a line's length that is nearest to a point. @param {Shape} line @param {number[]} point */
export function nearest(line, point) {
  const steps = lengths(line.baseline), total = steps.reduce((a, b) => a + b, 0) || 1;
  let best = Infinity, share = 0.5, before = 0;
  steps.forEach((step, i) => {
    const [x0, y0] = line.baseline[i], [x1, y1] = line.baseline[i + 1];
    const part = Math.min(1, Math.max(0, ((point[0] - x0) * (x1 - x0) + (point[1] - y0) * (y1 - y0)) / (step * step || 1)));
    const away = Math.hypot(x0 + part * (x1 - x0) - point[0], y0 + part * (y1 - y0) - point[1]);
    if (away < best) [best, share] = [away, (before + part * step) / total];
    before += step;
  });
  return share;
}

/** The outline of a line that is drawn by its feet. @param {{baseline: number[][], height: number}} drawn @param {number} below share of the height */
export function band({ baseline, height: tall }, below) {
  const first = baseline[0], last = baseline[baseline.length - 1], long = Math.hypot(last[0] - first[0], last[1] - first[1]) || 1;
  const up = [(last[1] - first[1]) / long, (first[0] - last[0]) / long];
  /** @param {number[]} p @param {number} by */
  const shifted = (p, by) => [p[0] + up[0] * by, p[1] + up[1] * by];
  return [...baseline.map((p) => shifted(p, tall * (1 - below))), ...[...baseline].reverse().map((p) => shifted(p, -tall * below))];
}
