/** Files, the scanner, the camera. @module */
import { ask, by, element } from "./dom.js";
import { notice } from "./main.js";
import { say } from "./strings.js";

const SHARP = 60;
/** Variance of the Laplacian under which a picture is blurred, on a canvas of 320 px. */

/** @param {FileList | File[] | null} files */
export async function addFiles(files) {
  for (const file of files ?? []) await send(file, file.name);
  by("files").value = "";
}

/** @param {Blob} body @param {string} name */
async function send(body, name) {
  notice(say("sending", { name }));
  try {
    const type = body.type.startsWith("image/") || body.type === "application/pdf" ? body.type : "application/octet-stream";
    await ask(`/api/scans?name=${encodeURIComponent(name)}`, { method: "POST", headers: { "Content-Type": type }, body });
  } catch (error) {
    notice(say("notTaken", { name, reason: /** @type {Error} */ (error).message }), true);
  }
}

// Scanner

/** @type {any[]} */ let scanners = [];

/** @param {HTMLSelectElement} list @param {(string | number)[]} values @param {string | number} [chosen] */
function fill(list, values, chosen) {
  list.replaceChildren(...values.map((value) => element("option", String(value))));
  if (chosen !== undefined && values.includes(chosen)) list.value = String(chosen);
  list.disabled = !values.length;
}

function showDevice() {
  const device = scanners[by("device").selectedIndex];
  fill(by("source"), device?.sources ?? [], device?.sources[0]);
  fill(by("mode"), device?.modes ?? [], "Color");
  fill(by("resolution"), device?.resolutions ?? [], 300);
  by("scan-start").disabled = !device;
}

export async function openScanner() {
  by("scan-dialog").showModal();
  by("scan-state").textContent = say("looking");
  by("scan-start").disabled = true;
  try {
    scanners = (await ask("/api/scanners")).scanners;
    by("scan-state").textContent = scanners.length ? "" : say("noScanner");
  } catch (error) {
    scanners = [];
    by("scan-state").textContent = /** @type {Error} */ (error).message;
  }
  fill(by("device"), scanners.map((s) => s.label));
  showDevice();
}
by("device").addEventListener("change", showDevice);
by("scan-close").addEventListener("click", () => by("scan-dialog").close());
by("scan-start").addEventListener("click", async () => {
  by("scan-start").disabled = true;
  by("scan-state").textContent = say("scanning");
  try {
    const device = scanners[by("device").selectedIndex].name;
    const wanted = { device, source: by("source").value, mode: by("mode").value, resolution: Number(by("resolution").value) || 0 };
    const told = await ask("/api/scan", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wanted) });
    by("scan-state").textContent = say("scanned", { count: told.pages });
  } catch (error) {
    by("scan-state").textContent = say("failed", { reason: /** @type {Error} */ (error).message });
  }
  by("scan-start").disabled = false;
});

// Camera

/** @type {MediaStream | null} */ let stream = null;

export async function openCamera() {
  const dialog = /** @type {HTMLDialogElement} */ (by("camera-dialog"));
  dialog.showModal();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 3840 }, height: { ideal: 2160 }, facingMode: "environment" } });
    by("video").srcObject = stream;
    await by("video").play();
    watch();
  } catch (error) {
    by("sharpness").textContent = say("noCamera", { reason: /** @type {Error} */ (error).message });
  }
}

function watch() {
  if (!stream) return;
  by("sharpness").textContent = say(sharpness() >= SHARP ? "sharp" : "blurred");
  setTimeout(watch, 400);
}

/** Variance of the Laplacian. */
function sharpness() {
  const width = 320, height = 180, canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(by("video"), 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  let sum = 0, squares = 0, count = 0;
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const i = 4 * (y * width + x) + 1;
      const value = 4 * data[i] - data[i - 4] - data[i + 4] - data[i - 4 * width] - data[i + 4 * width];
      sum += value;
      squares += value * value;
      count += 1;
    }
  }
  return squares / count - (sum / count) ** 2;
}

function closeCamera() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  by("camera-dialog").close();
}
by("camera-close").addEventListener("click", closeCamera);
by("camera-dialog").addEventListener("cancel", closeCamera);
by("take").addEventListener("click", async () => {
  const video = by("video"), canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  const taken = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
  const time = new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-");
  closeCamera();
  await send(taken, `camera-${time}.jpg`);
});
