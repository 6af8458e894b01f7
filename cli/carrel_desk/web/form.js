/** The form whose fields are read: its values gone through field by field, its template edited. @module */
import { ask, by, element } from "./dom.js";
import { desk } from "./desk.js";
import { readQueue, startAt } from "./changes.js";
import { flushed } from "./keeper.js";
import { say } from "./strings.js";
/** @typedef {{name: string, kind: string, pattern: string, usual: string, required: boolean, column: boolean, lexicon: string, left: number}} Field */
/** @typedef {{name: string, identity: string, editable: boolean, fields: Field[]}} Form */

const KINDS = ["text", "number", "date", "choice", "boxes"];
/** Kinds that are no others: their template names a box for each mark or letter. */
const FIXED = ["choice", "boxes"];
/** @type {Form | null} */ let form = null;

/** Offer what only a desk with a form has. */
export function showForm() {
  const there = Boolean(desk.state.form), order = by("order");
  by("fields").hidden = !there;
  const option = order.querySelector("[value=fields]");
  if (there && !option) order.append(Object.assign(element("option", say("byFields")), { value: "fields" }));
  else if (there) option.textContent = say("byFields");
  else option?.remove();
}

export async function openForm() {
  by("form-state").textContent = "";
  by("form-dialog").showModal();
  await load();
}

async function load() {
  try {
    await flushed().catch(() => null);
    form = await ask("/api/form");
    show();
  } catch (error) {
    by("form-state").textContent = say("failed", { reason: /** @type {Error} */ (error).message });
  }
}

function show() {
  by("form-name").textContent = say("formName", { name: form?.name ?? "" });
  by("form-rows").replaceChildren(...(form?.fields ?? []).map(row));
  by("form-save").hidden = !form?.editable;
}

/** @param {Field} field */
function row(field) {
  const made = document.createElement("tr"), fixed = FIXED.includes(field.kind);
  const name = input(field.name, "fieldOf:name", field.name), pattern = input(field.pattern, "fieldOf:pattern", field.name);
  pattern.placeholder = field.usual;
  pattern.disabled = field.kind === "choice" || !form?.editable;
  name.disabled = !form?.editable;
  const kind = document.createElement("select");
  for (const value of KINDS) {
    const option = Object.assign(element("option", say(`kind:${value}`)), { value, disabled: fixed ? value !== field.kind : FIXED.includes(value) });
    kind.append(option);
  }
  Object.assign(kind, { value: field.kind, disabled: fixed || !form?.editable });
  kind.setAttribute("aria-label", say("fieldOf:kind", { field: field.name }));
  const required = Object.assign(document.createElement("input"), { type: "checkbox", checked: field.required, disabled: !form?.editable });
  required.setAttribute("aria-label", say("fieldOf:required", { field: field.name }));
  const review = element("button", say("reviewField", { count: field.left }));
  review.setAttribute("aria-label", say("reviewFieldOf", { count: field.left, field: field.name }));
  Object.assign(review, { disabled: !field.left });
  review.addEventListener("click", () => reviewField(field.name));
  const box = element("label", "", "tick");
  box.append(required);
  for (const part of [name, kind, pattern, box, review]) {
    const cell = document.createElement("td");
    cell.append(part);
    made.append(cell);
  }
  return made;
}

/** @param {string} value @param {string} label @param {string} field */
function input(value, label, field) {
  const made = Object.assign(document.createElement("input"), { type: "text", value, spellcheck: false, autocomplete: "off" });
  made.setAttribute("aria-label", say(label, { field }));
  return made;
}

/** Go through all values of a field that somebody should look at, page by page; then those of the next field. @param {string} name */
async function reviewField(name) {
  by("form-dialog").close();
  by("order").value = "fields";
  await readQueue();
  await startAt((place) => place.field === name);
}

async function save() {
  if (!form) return;
  const rows = [...by("form-rows").children];
  const fields = rows.map((made, i) => {
    const [name, pattern] = made.querySelectorAll("input[type=text]"), tick = made.querySelector("input[type=checkbox]");
    return { name: form?.fields[i].name, to: name.value.trim(), kind: made.querySelector("select").value, pattern: pattern.value.trim(), required: tick.checked };
  });
  by("form-save").disabled = true;
  try {
    form = await ask("/api/form", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ identity: form.identity, fields }) });
    show();
    by("form-state").textContent = say("formSaved");
  } catch (error) {
    by("form-state").textContent = say("formWrong", { reason: /** @type {Error} */ (error).message });
  }
  by("form-save").disabled = false;
}

by("form-save").addEventListener("click", save);
by("form-close").addEventListener("click", () => by("form-dialog").close());
document.addEventListener("state", showForm);
