"""The script that writes man pages and completions of the shell, both made from the help of the commands, and copies systemd's
units: ``build_share.py FOLDER``.

They lie under FOLDER as packages put them under ``share/``: ``man/man1``, ``bash-completion/completions``,
``zsh/site-functions``, ``fish/vendor_completions.d``, ``systemd``.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

import carrel
from carrel_cli.main import OWN_COMMANDS, cli

UNITS = Path(__file__).parents[1] / "packaging" / "systemd"
COMPLETIONS: dict[str, type[ShellComplete]] = {
    "bash-completion/completions/carrel": BashComplete,
    "zsh/site-functions/_carrel": ZshComplete,
    "fish/vendor_completions.d/carrel.fish": FishComplete,
}


def man_pages() -> Iterator[tuple[str, str]]:
    """Yield file names and contents: one page for ``carrel``, one for each of its own commands."""
    with click.Context(cli, info_name="carrel") as top:
        commands = {name: command for name in sorted(OWN_COMMANDS) if (command := cli.get_command(top, name))}
        yield "carrel.1", _page(top, cli, commands)
        for name, command in commands.items():
            with click.Context(command, info_name=name, parent=top) as context:
                yield f"carrel-{name}.1", _page(context, command, getattr(command, "commands", {}))


def _page(context: click.Context, command: click.Command, commands: dict[str, click.Command]) -> str:
    title = context.command_path.replace(" ", "-")
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        f'.TH "{title.upper()}" 1 "" "carrel {carrel.__version__}"',
        ".SH NAME",
        _text(f"{title} - {command.get_short_help_str(200)}"),
        ".SH SYNOPSIS",
        f".B {context.command_path}",
        _text(usage),
        ".SH DESCRIPTION",
    ]
    lines += [_text(part) for part in (command.help or "").split("\n")]
    records = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    lines += [".SH OPTIONS"] if records else []
    for name, help_text in records:
        lines += [".TP", f".B {_text(name)}", _text(help_text)]
    lines += [".SH COMMANDS"] if commands else []
    for name, inner in commands.items():
        lines += [".TP", f".B {_text(name)}", _text(inner.get_short_help_str(200))]
    return "\n".join([*lines, ".SH SEE ALSO", ".BR carrel (1)"]) + "\n"


def _text(text: str) -> str:
    """One line of text for roff: nothing in it is taken for a request."""
    safe = text.strip().replace("\\", r"\e").replace("-", r"\-")
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe or ".PP"


def main(folder: Path) -> None:
    """Write everything."""
    files = {f"man/man1/{name}": text for name, text in man_pages()}
    files |= {name: kind(cli, {}, "carrel", "_CARREL_COMPLETE").source() for name, kind in COMPLETIONS.items()}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    shutil.copytree(UNITS, folder / "systemd", dirs_exist_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
