"""Documents of several pages as one file: their searchable PDF, once every page is settled."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from carrel.backends.facts import new_budget
from carrel.batch.folders import Folders
from carrel.batch.journal import Journal
from carrel.batch.results import DOCUMENT, SUFFIXES, WHOLE, Delivery, OwedDocument, Written
from carrel.errors import CarrelError
from carrel.formats.json_page import parse
from carrel.options import ReadOptions
from carrel.workers.decoder import Decoder


class Documents:
    """The writer of the documents that a journal owes, in a confined process that is started for the first."""

    def __init__(self, options: ReadOptions, folders: Folders, log: Callable[[str], None]) -> None:
        self._options, self._folders, self._log = options, folders, log
        self._stack = ExitStack()
        self._decoder: Decoder | None = None
        self._in_vain: set[tuple[int, str]] = set()

    def close(self) -> None:
        """End the process."""
        self._stack.close()
        self._decoder = None

    def write_owed(
        self, journal: Journal, formats: tuple[str, ...], sha256: str | None = None, *, anew: bool = False
    ) -> None:
        """Write the documents that are complete and not written yet, or only older than their pages.

        Parameters
        ----------
        formats
            Those that were asked for.
        sha256
            Digest of one file; None for all.
        anew
            Whether a page of it was read just now.
        """
        for form in (form for form in formats if form in WHOLE):
            for owed in journal.owed_documents(form, sha256, anew=anew):
                if (owed.file, form) not in self._in_vain:
                    self._write(journal, owed, form)

    def _write(self, journal: Journal, owed: OwedDocument, form: str) -> None:
        try:
            document = self._started().document(owed.source, form, [parse(page) for page in owed.pages])
        except CarrelError as error:
            self._in_vain.add((owed.file, form))
            self._log(f"{owed.sha256[:12]}: no {form} of the whole document: {error}")
            return
        path = owed.name + SUFFIXES[form]
        put = self._folders.put(path, document.data, owed.digest)
        if put.digest is None:
            self._in_vain.add((owed.file, form))
            self._log(f"{owed.sha256[:12]}: {form} was changed since it was written, and stays as it is")
            return
        if put.aside:
            self._log(f"{owed.sha256[:12]}: a file that Carrel did not write was set aside (.~1~)")
        journal.document_written(Written(Delivery(owed.file, DOCUMENT, form, path, None, False), put.digest))

    def _started(self) -> Decoder:
        if self._decoder is None:
            self._decoder = self._stack.enter_context(Decoder(self._options, new_budget(self._options.memory_bytes)))
        return self._decoder
