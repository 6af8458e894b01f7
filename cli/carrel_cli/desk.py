"""``carrel desk``: read, review and correct in a browser on this machine."""

from __future__ import annotations

import asyncio
import getpass
import tempfile
import webbrowser
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from carrel.errors import UsageError
from carrel.options import ReadOptions
from carrel.output import make_folder
from carrel_cli.common.reading import reading_options
from carrel_cli.serve import listen_options, locked, password_for, require_extra

if TYPE_CHECKING:
    from carrel.forms.template import Form
    from carrel_desk.reading.local import Station
    from carrel_desk.reading.room import Readers

_MIB = 2**20


@click.command("desk")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=8635, show_default=True, help="0 takes a free one.")
@listen_options
@click.option(
    "--kiosk",
    is_flag=True,
    help="A fixed station: pages, session and browser state are deleted when nobody sits there.",
)
@click.option(
    "--idle",
    type=click.FloatRange(min=5),
    default=300.0,
    show_default=True,
    metavar="S",
    help="With --kiosk: seconds without input before the countdown of 60 s.",
)
@click.option(
    "--watch",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Take every scan that is dropped into DIR, too; the files stay there.",
)
@click.option(
    "--export-to",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Offer to save into DIR, such as a USB stick's; nothing there is replaced.",
)
@click.option("--printer", metavar="NAME", help="Offer to print by lp, on NAME or the default one.")
@click.option("--by", help="Who corrects, as it stands in the pages.  [default: the user's name; desk with --kiosk]")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that read.")
@click.option(
    "--max-file",
    type=click.IntRange(min=1),
    default=512,
    show_default=True,
    metavar="MIB",
    help="Larger files are refused.",
)
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open the browser.")
@reading_options
def command(
    folder: Path | None,
    kiosk: bool,
    idle: float,
    by: str | None,
    max_file: int,
    watch: Path | None,
    read: ReadOptions,
    **options: Any,
) -> None:
    """Read, review and correct pages in a browser on this machine.

    FOLDER keeps scans, pages and corrections, and may be opened again; without it they are deleted at the end. The desk
    listens on the loopback interface alone. The link that it prints lets one browser in, once; a new one is printed then.
    """
    require_extra()
    if watch and kiosk:
        raise UsageError("--watch and --kiosk: what was deleted would be taken again; leave one out")
    with tempfile.TemporaryDirectory(prefix="carrel-desk-") as temporary:
        where = (folder or Path(temporary) / "desk").resolve()
        make_folder(where / ".desk")
        with locked(where / ".desk"):
            signed = by or ("desk" if kiosk else getpass.getuser())
            _serve(
                _Wish(
                    where,
                    read,
                    signed,
                    max_bytes=max_file * _MIB,
                    kiosk_idle_s=idle if kiosk else None,
                    purges=folder is None or kiosk,
                    watch=watch.resolve() if watch else None,
                    **options,
                )
            )


@dataclass(frozen=True)
class _Wish:
    """How the desk was started."""

    folder: Path
    read: ReadOptions
    by: str
    max_bytes: int
    kiosk_idle_s: float | None
    purges: bool
    watch: Path | None
    port: int
    listen: str
    password_file: Path | None
    workers: int
    browser: bool
    export_to: Path | None
    printer: str | None


class _ReadForm(NamedTuple):
    """A form whose fields are read, and where its template lies."""

    file: Path
    form: Form


def _form_of(wish: _Wish) -> _ReadForm | None:
    from carrel.forms.template import load_form
    from carrel_desk.desk.forms import chosen_form, own_template

    file = chosen_form(wish.folder, wish.read.form)
    if file is None:
        return None
    if file == own_template(wish.folder):
        click.echo(f"carrel: the form is read as it was edited at this desk: {file}", err=True)
    return _ReadForm(file, load_form(file))


@dataclass(frozen=True)
class _Reading:
    """What pages are read with: ``paths`` of a model and of a form's template, which the desk may exchange."""

    wish: _Wish
    paths: dict[str, Path | None]

    def plan(self) -> Station:
        """Plan the workers."""
        from carrel_desk.reading.local import FileLimits, make_private, plan_station
        from carrel_desk.reading.worker import DESK_PAGES

        spool = make_private(self.wish.folder / ".desk" / "spool")
        limits = FileLimits(self.wish.max_bytes, 5000)
        options = replace(self.wish.read, **self.paths)
        return plan_station(options, spool, limits, workers=self.wish.workers, entry=DESK_PAGES)

    async def use(self, readers: Readers, what: str, path: Path) -> None:
        """Read with another model or template from now on."""
        self.paths[what] = path
        readers.change((await asyncio.to_thread(self.plan)).make_pool)


def _serve(wish: _Wish) -> None:
    from carrel_desk.api.jobs import Jobs
    from carrel_desk.api.service import Service
    from carrel_desk.desk.app import make_desk
    from carrel_desk.desk.desk import Desk
    from carrel_desk.desk.learning import Learning
    from carrel_desk.desk.places import Places
    from carrel_desk.desk.session import Sessions
    from carrel_desk.desk.watching import Watched
    from carrel_desk.http.guard import Rules
    from carrel_desk.http.password import Password
    from carrel_desk.http.server import hosts_of, listen, make_server
    from carrel_desk.reading.local import empty
    from carrel_desk.reading.room import Readers
    from carrel_desk.store.pages import Store

    password = password_for(wish.listen, wish.password_file)
    own = wish.folder / ".desk"
    form = _form_of(wish)
    store = Store(wish.folder, wish.by, form.form if form else None)
    listening = listen(wish.port, wish.listen)
    number = listening.getsockname()[1]
    where = f"http://{wish.listen}:{number}/enter"

    def on_entry(entry: str) -> None:
        click.echo(f"carrel: enter at {where}?token={entry}", err=True)

    reading = _Reading(wish, {"model": wish.read.model or store.learned_model, "form": form.file if form else None})
    empty(own / "spool")
    station = reading.plan()
    jobs, bodies = Jobs(own / "jobs"), empty(own / "bodies")
    service = Service(Readers(station.make_pool), jobs, station.options, bodies, station.workers)
    sessions = Sessions(own / "sessions")
    desk = Desk(
        store,
        service,
        sessions,
        f"carrel_{number}",
        wish.kiosk_idle_s,
        wish.purges,
        Watched(wish.watch, store, bodies) if wish.watch else None,
        on_entry,
        learning=None
        if wish.purges
        else Learning(store, wish.read.model, use=partial(reading.use, service.readers, "model")),
        places=Places(wish.export_to, wish.printer),
        password=Password(password) if password else None,
    )
    if not wish.purges:
        desk.forms.use = partial(reading.use, service.readers, "form")
    entry = sessions.new_entry()
    on_entry(entry)
    if password:
        click.echo(f"carrel: whoever reaches {where} and has the password may enter; nothing is encrypted", err=True)
    if wish.browser:
        webbrowser.open(f"{where}?token={entry}")
    try:
        rules = Rules(hosts_of(listening, wish.listen), sessions.tokens, wish.max_bytes)
        make_server(make_desk(desk, rules)).run(sockets=[listening])
    finally:
        listening.close()
        if wish.purges:
            store.purge()
        store.close()
