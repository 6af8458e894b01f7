"""The ``carrel`` command."""

from __future__ import annotations

import io
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

import click

import carrel
from carrel.errors import CarrelError
from carrel_cli.common.messages import tell
from carrel_cli.common.streams import flush_results, one_line, open_closed_streams, unwritten_results

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

OWN_COMMANDS = {
    "apply": "carrel_cli.apply",
    "batch": "carrel_cli.batch",
    "check": "carrel_cli.machine.check",
    "desk": "carrel_cli.desk",
    "devices": "carrel_cli.machine.devices",
    "doctor": "carrel_cli.machine.doctor",
    "eval": "carrel_cli.evaluate",
    "fields": "carrel_cli.fields",
    "fleet": "carrel_cli.fleet.fleet",
    "form": "carrel_cli.form",
    "inspect": "carrel_cli.inspect",
    "manifest": "carrel_cli.manifest",
    "merge": "carrel_cli.fleet.merge",
    "models": "carrel_cli.machine.models",
    "pack": "carrel_cli.pack",
    "privacy": "carrel_cli.machine.privacy",
    "purge": "carrel_cli.machine.purge",
    "read": "carrel_cli.read",
    "review": "carrel_cli.review",
    "serve": "carrel_cli.serve",
    "shard": "carrel_cli.fleet.shard",
    "status": "carrel_cli.fleet.status",
    "tesseract": "carrel_cli.tesseract.command",
    "warm": "carrel_cli.machine.warm",
    "watch": "carrel_cli.watch",
    "work": "carrel_cli.fleet.work",
}


def added_commands(name: str | None = None) -> EntryPoints:
    """Return the entry points of commands that other packages add; imported late, as it takes as long as a command does."""
    from importlib.metadata import entry_points

    found = entry_points(group="carrel.commands")
    return found if name is None else found.select(name=name)


class Commands(click.Group):
    """Carrel's own commands and those that other packages add through the ``carrel.commands`` entry points.

    A command's module is imported when it is called.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*OWN_COMMANDS, *(entry.name for entry in added_commands())})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in OWN_COMMANDS:
            command: click.Command = import_module(OWN_COMMANDS[cmd_name]).command
            return command
        for entry in added_commands(cmd_name):
            loaded: click.Command = entry.load()
            return loaded
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that was called; a misspelt one is answered with the nearest."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            near = get_close_matches(name.lower(), self.list_commands(ctx), 1)
            hint = f"did you mean {near[0]}?" if near else "carrel --help lists them"
            ctx.fail(f"there is no command {name!r}; {hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(carrel.__version__, prog_name="carrel")
@click.option("-v", "--verbose", is_flag=True, help="Say more on stderr: what was chosen, and how memory is used.")
@click.option(
    "--log-format",
    type=click.Choice(["plain", "json"]),
    default="plain",
    envvar="CARREL_LOG_FORMAT",
    show_default=True,
    show_envvar=True,
    help="Messages on stderr as lines for people, or as a JSON object each, with time and level, for services.",
)
def cli(verbose: bool, log_format: str) -> None:
    """Read scanned pages, printed and handwritten, on this machine."""
    from carrel_cli.common.messages import show_messages

    show_messages(verbose=verbose, as_json=log_format == "json")


def tesseract() -> None:
    """Run ``carrel tesseract`` as a command of its own, ``carrel-tesseract``."""
    sys.argv[:1] = ["carrel", "tesseract"]  # what its messages call it
    main()


def main() -> None:
    """Run the command line; exit codes as in ``carrel.errors``, 130 after Ctrl-C."""
    open_closed_streams()
    code: object = 0
    try:
        code = cli.main(standalone_mode=False)
        flush_results()
    except CarrelError as error:
        tell(one_line(str(error)), failed=True)
        code = error.exit_code
    except click.ClickException as error:
        told = io.StringIO()
        error.show(told)
        click.echo("\n".join(map(one_line, told.getvalue().splitlines())), err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        tell("interrupted", failed=True)
        code = 130
    except BrokenPipeError:  # the reader of stdout has gone
        sys.stderr.close()
        code = 1
    except OSError as error:
        unwritten = unwritten_results(error)
        if unwritten is None:
            raise
        tell(str(unwritten), failed=True)
        code = unwritten.exit_code
    sys.exit(code if isinstance(code, int) else 0)
