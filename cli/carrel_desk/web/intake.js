/** Files and the scanner. @module */
import { ask, by, element } from "./dom.js";
import { notice, trouble } from "./desk.js";
import { sayProgress } from "./pages.js";
import { say } from "./strings.js";

/** @param {FileList | File[] | null} files */
export async function addFiles(files) {
  for (const file of files ?? []) await send(file, file.name);
  by("files").value = "";
  sayProgress();
}

/** Files that were dropped, and those in folders, by name. @param {DataTransfer | null} dropped */
export async function addDropped(dropped) {
  const items = [...(dropped?.items ?? [])].filter((item) => item.kind === "file");
  const waiting = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());  // at once: they are gone after this event
  for (const found of waiting) if (found) await addFiles(found instanceof File ? [found] : await filesOf(found));
}

/** @param {FileSystemEntry} entry @returns {Promise<File[]>} */
async function filesOf(entry) {
  try {
    if (entry.isFile) return [await new Promise((done, failed) => /** @type {FileSystemFileEntry} */ (entry).file(done, failed))];
    const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
    /** @type {FileSystemEntry[]} */ const inside = [];
    /** @type {FileSystemEntry[]} */ let more;
    do {
      more = await new Promise((done, failed) => reader.readEntries(done, failed));
      inside.push(...more);
    } while (more.length);  // it tells 100 at a time
    const seen = inside.filter(({ name }) => !name.startsWith(".")).sort((a, b) => (a.name < b.name ? -1 : 1));
    const files = [];
    for (const one of seen) files.push(...(await filesOf(one)));
    return files;
  } catch (error) {
    trouble(say("notTaken", { name: entry.name, reason: /** @type {Error} */ (error).message }));
    return [];
  }
}

/** @param {Blob} body @param {string} name */
export async function send(body, name) {
  notice(say("sending", { name }));
  try {
    const type = body.type.startsWith("image/") || body.type === "application/pdf" ? body.type : "application/octet-stream";
    await ask(`/api/scans?name=${encodeURIComponent(name)}`, { method: "POST", headers: { "Content-Type": type }, body });
  } catch (error) {
    const { status, message } = /** @type {any} */ (error);
    trouble(say("notTaken", { name, reason: status ? message : say("noAnswer") }));
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
  by("scan-choices").hidden = !device;
}

export async function openScanner() {
  by("scan-dialog").showModal();
  by("scan-state").textContent = say("looking");
  by("scan-start").disabled = by("scan-choices").hidden = true;
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
    const scanned = say("scanned", { count: told.pages });
    by("scan-state").textContent = told.trouble ? `${scanned}. ${say("scanStopped", { reason: told.trouble })}` : scanned;
  } catch (error) {
    by("scan-state").textContent = say("failed", { reason: /** @type {Error} */ (error).message });
  }
  by("scan-start").disabled = false;
});
