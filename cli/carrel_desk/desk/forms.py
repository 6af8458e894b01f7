"""The form whose fields are read: shown, and its template edited at the desk; the table of all values.

What is edited is a copy in the desk's folder, ``form/template.json``, with its lexicons; the file that the desk was started
with stays as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from carrel.errors import CarrelError, InputError, UsageError
from carrel.forms.fields import Field, Kind, Template
from carrel.forms.proposal.json_text import template_json
from carrel.forms.table import rows_of, table_files
from carrel.forms.template import Form, load_form
from carrel.options import REVIEW_BELOW
from carrel.output import write_file
from carrel.workers.messages import PageRead, ReadPage
from carrel_desk.reading.local import make_private
from carrel_desk.reading.room import WHEN_IDLE, Readers
from carrel_desk.store.entries import PageEntry
from carrel_desk.store.fields import told_pattern
from carrel_desk.store.pages import Store

TABLE = "fields"
"""The table's name among the formats that pages are saved in."""
log = logging.getLogger("carrel.desk")


class FieldEdit(msgspec.Struct, forbid_unknown_fields=True):
    """A field as somebody wants it; ``name`` is the one that it has."""

    name: Annotated[str, Meta(max_length=200)]
    to: Annotated[str, Meta(max_length=200)]
    kind: Kind
    pattern: Annotated[str, Meta(max_length=1000)] = ""
    required: bool = False


class FormEdit(msgspec.Struct, forbid_unknown_fields=True):
    """An edit of a template; ``identity`` is that of the one that the person saw."""

    identity: Annotated[str, Meta(max_length=200)]
    fields: Annotated[list[FieldEdit], Meta(max_length=1000)]


def own_template(folder: Path) -> Path:
    """Return where the template lies that was edited at a desk."""
    return folder / "form" / "template.json"


def chosen_form(folder: Path, given: Path | None) -> Path | None:
    """Return the template to read with: the one edited at this desk, unless another form is named.

    Raises
    ------
    InputError
        A template cannot be read.
    """
    own = own_template(folder)
    if not own.is_file() or (given is not None and load_form(given).template.name != load_form(own).template.name):
        return given
    return own


@dataclass
class Forms:
    """The form of a desk: ``use`` makes the workers read with another template, None where it is not to be edited;
    ``changed`` tells the windows that a page is another."""

    store: Store
    use: Callable[[Path], Awaitable[None]] | None = None
    changed: Callable[[str], None] = lambda page: None

    def view(self) -> dict[str, object] | None:
        """Return what a browser needs to know; None where no form is read."""
        form = self.store.form
        if form is None:
            return None
        left = Counter(line.field for _, line in self.store.open_lines())
        return {
            "name": form.template.name, "identity": form.identity, "editable": self.use is not None,
            "fields": [
                {
                    "name": field.name, "kind": field.kind, "pattern": field.pattern, "usual": told_pattern(field),
                    "required": field.required, "column": field.column, "lexicon": field.lexicon, "left": left[field.name],
                }
                for field in form.template.fields
            ],
        }  # fmt: skip

    async def edit(self, wish: FormEdit) -> None:
        """Take an edit over: fields that have another name get it on every page, and pages are read with it from now on.

        Raises
        ------
        UsageError
            The template is not to be edited, was edited by somebody else, or would not hold together: every problem is named.
        """
        form = self.store.form
        if form is None or self.use is None:
            raise UsageError("the template of this desk is not to be edited")
        if wish.identity != form.identity:
            raise UsageError("the template was edited in another window; look at it again")
        template = _edited(form.template, wish.fields)
        made = await asyncio.to_thread(self._write, form, template)
        names = {edit.name: edit.to for edit in wish.fields if edit.to != edit.name}
        if names:
            await self.store.rename_fields(names)
        await self.store.use_form(made)
        await self.use(own_template(self.store.folder))

    def _write(self, form: Form, template: Template) -> Form:
        """Put the template into the desk's folder once it holds together."""
        own = own_template(self.store.folder)
        make_private(own.parent)
        for lexicon in form.lexicons:
            if lexicon.parent != own.parent:
                write_file(own.parent / lexicon.name, lexicon.read_bytes())
        trial = own.with_suffix(".new")
        write_file(trial, template_json(template))
        try:
            load_form(trial)
        except InputError as error:
            trial.unlink()
            raise UsageError(str(error).removeprefix(f"{trial}: ")) from None
        trial.replace(own)
        return load_form(own)

    def table(self, entries: list[PageEntry]) -> dict[str, bytes]:
        """Return the files of the table of these pages by name, corrections included.

        Raises
        ------
        UsageError
            No form is read.
        """
        form = self.store.form
        if form is None:
            raise UsageError("this desk reads no form; start it with --form")
        rows = [row for e in entries for row in rows_of(e.name, self.store.corrected(e.id), form, REVIEW_BELOW)]
        return table_files(rows, form, safe_cells=True)


def _edited(template: Template, edits: list[FieldEdit]) -> Template:
    by_name = {edit.name: edit for edit in edits}
    unknown = by_name.keys() - {field.name for field in template.fields}
    if unknown:
        raise UsageError(f"the template has no field {sorted(unknown)[0]!r}; look at it again")

    def edited(field: Field) -> Field:
        edit = by_name.get(field.name)
        if edit is None:
            return field
        return msgspec.structs.replace(
            field, name=edit.to, kind=edit.kind, pattern=edit.pattern, required=edit.required
        )

    return msgspec.structs.replace(template, fields=tuple(edited(field) for field in template.fields))


async def read_fields_again(forms: Forms, readers: Readers) -> None:
    """Read all pages anew that nobody has touched; their fields are those of the template as it is now."""
    store = forms.store
    for entry in store.read_pages():
        if not store.is_untouched(entry):
            continue
        try:
            file = store.scan_file(store.scans[entry.scan])
            outcome = await readers.ask(lambda name, e=entry, f=file: ReadPage(name, f, e.index, ("json",)), WHEN_IDLE)
            if isinstance(outcome, PageRead) and await store.read_again(entry, outcome.files["json"]):
                forms.changed(entry.id)
        except (CarrelError, OSError) as error:
            log.warning("a page could not be read anew: %s", error)
