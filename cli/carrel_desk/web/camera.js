/** The camera: the sheet's outline and its sharpness while it is held, and said of the picture that was taken. @module */
import { by, svg } from "./dom.js";
import { warn } from "./desk.js";
import { send } from "./intake.js";
import { findSheet, isSharp } from "./sheet.js";
import { say } from "./strings.js";

const LOOK_WIDTH = 320, PART_WIDTH = 480, PART_HEIGHT = 360, EVERY_MS = 300;
/** @type {MediaStream | null} */ let stream = null;

export async function openCamera() {
  const dialog = /** @type {HTMLDialogElement} */ (by("camera-dialog"));
  by("sharpness").textContent = "";
  by("take").disabled = true;
  dialog.showModal();
  try {
    const opened = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 3840 }, height: { ideal: 2160 }, facingMode: "environment" } });
    if (!dialog.open) return stop(opened);
    stream = opened;
    by("video").srcObject = stream;
    await by("video").play();
    by("take").disabled = false;
    watch();
  } catch (error) {
    by("sharpness").textContent = say("noCamera", { reason: /** @type {Error} */ (error).message });
  }
}

/** @param {CanvasImageSource} source @param {number[]} from left, top, width, height @param {number} width @param {number} height */
function part(source, [left, top, wide, high], width, height) {
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true }));
  context.drawImage(source, left, top, wide, high, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/** What is to be said of a picture. @param {CanvasImageSource} source @param {number} width @param {number} height */
function look(source, width, height) {
  const high = Math.round((LOOK_WIDTH * height) / width), scale = width / LOOK_WIDTH;
  const sheet = findSheet(part(source, [0, 0, width, height], LOOK_WIDTH, high));
  const corners = sheet?.corners.map(([x, y]) => [x * scale, y * scale]) ?? [];
  if (!sheet) return { corners, word: "noSheet" };
  const middle = [0, 1].map((axis) => corners.reduce((sum, corner) => sum + corner[axis], 0) / 4);
  const wide = Math.min(PART_WIDTH, width), tall = Math.min(PART_HEIGHT, height);
  const left = Math.min(width - wide, Math.max(0, middle[0] - wide / 2)), top = Math.min(height - tall, Math.max(0, middle[1] - tall / 2));
  if (isSharp(part(source, [left, top, wide, tall], wide, tall)) === false) return { corners, word: "blurred" };
  return { corners, word: sheet.whole ? "sharp" : "cutOff" };
}

function watch() {
  const video = by("video");
  if (!stream) return;
  if (video.videoWidth) {
    const { corners, word } = look(video, video.videoWidth, video.videoHeight), outline = by("outline");
    if (by("sharpness").textContent !== say(word)) by("sharpness").textContent = say(word);
    by("sharpness").dataset.word = word;
    outline.setAttribute("viewBox", `0 0 ${video.videoWidth} ${video.videoHeight}`);
    outline.replaceChildren(...(corners.length ? [svg("polygon", { points: corners.map((c) => c.join(",")).join(" "), class: word })] : []));
  }
  setTimeout(watch, EVERY_MS);
}

/** @param {MediaStream | null} opened */
function stop(opened) {
  for (const track of opened?.getTracks() ?? []) track.stop();
}

function closeCamera() {
  stop(stream);
  stream = null;
  by("camera-dialog").close();
}
by("camera-close").addEventListener("click", closeCamera);
by("camera-dialog").addEventListener("cancel", closeCamera);
by("take").addEventListener("click", async () => {
  const video = by("video"), canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  const { word } = look(canvas, canvas.width, canvas.height);
  const taken = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
  const time = new Date().toISOString().slice(0, 23).replace(/[:T.]/g, "-");
  closeCamera();
  await send(taken, `camera-${time}.jpg`);
  if (word !== "sharp") warn(say("again", { reason: say(word) }));
});
