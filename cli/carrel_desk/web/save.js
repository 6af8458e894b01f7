/** Pages on their way out: to download, or where the operator allows, to a folder and a printer. @module */
import { ask, by, element } from "./dom.js";
import { desk, notice } from "./desk.js";
import { flushed } from "./keeper.js";
import { say } from "./strings.js";

export function fillFormats() {
  const chosen = by("format").value || "text", formats = [...(desk.state.formats ?? []), "all"];
  by("format").replaceChildren(...["", " *"].flatMap((all) => formats.map((name) => {
    const words = `${["all", "fields"].includes(name) ? say(name) : name}: ${say(all ? "allPages" : "thisPage")}`;
    return Object.assign(element("option", words), { value: name + all });
  })));
  by("format").value = chosen;
  const places = ["download", ...(desk.state.places ?? [])];
  by("place").replaceChildren(...places.map((value) => Object.assign(element("option", say(value)), { value })));
  by("place-label").hidden = places.length < 2;
}

export async function save() {
  const [name, all] = by("format").value.split(" ");
  const query = `format=${name}${all ? "" : `&page=${desk.page?.id}`}`;
  notice(say("saving", { name }));
  try {
    await flushed().catch(() => Promise.reject(new Error(say("keeping"))));
    const told = by("place").value === "download" ? await download(name, query) : await send(query);
    notice(told);
  } catch (error) {
    notice(say("failed", { reason: /** @type {Error} */ (error).message }), true);
  }
}

/** @param {string} name @param {string} query */
async function download(name, query) {
  const answer = await fetch(`/api/export?${query}`);
  if (!answer.ok) throw new Error((await answer.json()).detail);
  const told = answer.headers.get("content-disposition") ?? "";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = decodeURIComponent(told.split("''")[1] ?? `carrel.${name}`);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return say("saved", { name: link.download });
}

/** @param {string} query */
async function send(query) {
  const told = await ask(`/api/export?${query}&place=${by("place").value}`, { method: "POST" });
  return say(by("place").value === "printer" ? "sentToPrinter" : "saved", told);
}
