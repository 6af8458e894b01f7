"""``carrel desk``: read, review and correct in a browser on this machine."""

from __future__ import annotations

import getpass
import tempfile
import webbrowser
from pathlib import Path

import click

from carrel.errors import UsageError
from carrel.options import ReadOptions
from carrel_cli.reading import reading_options
from carrel_cli.serve import locked, require_extra

_MIB = 2**20


@click.command("desk")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8635, show_default=True, help="On 127.0.0.1; 0 takes a free one."
)
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
    port: int,
    kiosk: bool,
    idle: float,
    watch: Path | None,
    by: str | None,
    workers: int,
    max_file: int,
    browser: bool,
    read: ReadOptions,
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
        (where / ".desk").mkdir(parents=True, exist_ok=True)
        with locked(where / ".desk"):
            signed = by or ("desk" if kiosk else getpass.getuser())
            _serve(
                where,
                port,
                read,
                signed,
                (workers, max_file * _MIB),
                idle if kiosk else None,
                folder is None or kiosk,
                browser,
                watch.resolve() if watch else None,
            )


def _serve(
    folder: Path,
    port: int,
    read: ReadOptions,
    by: str,
    limits: tuple[int, int],
    kiosk_idle_s: float | None,
    purge_on_leave: bool,
    browser: bool,
    watch: Path | None,
) -> None:
    from carrel_desk.api.jobs import Jobs
    from carrel_desk.api.service import Service
    from carrel_desk.desk.app import Desk, make_desk
    from carrel_desk.desk.session import Sessions
    from carrel_desk.desk.watching import Watched
    from carrel_desk.http.guard import Rules
    from carrel_desk.http.server import hosts_of, listen, make_server
    from carrel_desk.reading.local import FileLimits, empty, plan_station
    from carrel_desk.reading.room import Readers
    from carrel_desk.reading.worker import DESK_PAGES
    from carrel_desk.store.pages import Store

    own = folder / ".desk"
    store = Store(folder, by)
    listening = listen(port)
    number = listening.getsockname()[1]

    def on_entry(entry: str) -> None:
        click.echo(f"carrel: enter at http://127.0.0.1:{number}/enter?token={entry}", err=True)

    station = plan_station(read, empty(own / "spool"), FileLimits(limits[1], 5000), workers=limits[0], entry=DESK_PAGES)
    jobs, bodies = Jobs(own / "jobs"), empty(own / "bodies")
    service = Service(Readers(station.make_pool), jobs, station.options, bodies, station.workers)
    sessions = Sessions(own / "sessions")
    watched = Watched(watch, store, bodies) if watch else None
    desk = Desk(
        store,
        service,
        sessions,
        f"carrel_{number}",
        kiosk_idle_s,
        purge_on_leave,
        watched,
        on_entry,
    )
    entry = sessions.new_entry()
    on_entry(entry)
    if browser:
        webbrowser.open(f"http://127.0.0.1:{number}/enter?token={entry}")
    try:
        make_server(make_desk(desk, Rules(hosts_of(listening), sessions.tokens, limits[1]))).run(sockets=[listening])
    finally:
        listening.close()
        if purge_on_leave:
            store.purge()
        store.close()
