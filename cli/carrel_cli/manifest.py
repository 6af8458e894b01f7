"""``carrel manifest``: a folder of read pages as METS and IIIF."""

from __future__ import annotations

from pathlib import Path

import click

from carrel.errors import InputError
from carrel_cli.documents import document_files


@click.command("manifest")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--label", help="Title of the whole.  [default: the folder's name]")
@click.option("--base-url", help="Where the files will be found; with it, manifest.json for IIIF is written too.")
def command(folder: Path, label: str | None, base_url: str | None) -> None:
    """Write mets.xml, and with --base-url a IIIF manifest.json, for the pages in FOLDER and its subfolders.

    Pages are the JSON, ALTO or PAGE files there, in the order of their names, numbers as numbers. Images are named as
    the pages name their scans, in the subfolder of the page; ALTO and PDF files of the same names are linked.
    """
    from carrel.formats import FORMATS, read_page
    from carrel.formats.write.collection import Entry, natural_key, write_iiif, write_mets
    from carrel.output import write_file

    files = {name: path for name, path in document_files(folder).items() if path.suffix in (".json", ".xml")}
    if not files:
        raise InputError(f"{folder}: no pages in JSON, ALTO or PAGE")
    entries: list[Entry] = []
    for name in sorted(files, key=natural_key):
        page = read_page(files[name])
        others = [
            name + FORMATS[kind].suffix if (folder / (name + FORMATS[kind].suffix)).exists() else ""
            for kind in ("alto", "pdf")
        ]
        image = (Path(name).parent / Path(page.source.file_name).name).as_posix()
        entries.append(Entry(page, image, *others))
    title = label or folder.resolve().name
    write_file(folder / "mets.xml", write_mets(entries, title))
    if base_url:
        write_file(folder / "manifest.json", write_iiif(entries, base_url, title))
    click.echo(f"{len(entries)} pages", err=True)
