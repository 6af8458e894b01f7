"""The table of a form's fields, of all pages of a batch, written anew from what the journal keeps."""

from __future__ import annotations

from dataclasses import replace

from carrel.batch.folders import Folders
from carrel.batch.journal import Journal
from carrel.batch.run import Log
from carrel.batch.settings import Settings
from carrel.formats.json_page import parse
from carrel.forms.table import Row, rows_of, table_files
from carrel.forms.template import load_form


def write_fields(journal: Journal, folders: Folders, settings: Settings, log: Log) -> list[Row]:
    """Write the table of the form of a batch's settings into its output folder; returns the rows.

    A table that a person changed stays, and is told of.

    Raises
    ------
    InputError
        The template is none any more.
    OutputError
        The table cannot be written.
    """
    assert settings.options.form is not None
    form = load_form(settings.options.form)
    rows: list[Row] = []
    for document, file, stored in journal.stored_pages():
        page = parse(stored)
        page = replace(page, source=replace(page.source, file_name=file))
        rows += rows_of(document, page, form, settings.review_below)
    for name, contents in table_files(rows, form, safe_cells=settings.options.csv_safe).items():
        put = folders.put(name, contents, journal.digest_of(name))
        if put.digest is None:
            log(f"{name} was changed since it was written, and stays as it is; delete it to have it written anew")
            continue
        journal.listed(name, put.digest)
    return rows
