"""``carrel devices``: what networks can run on here, how fast, and what would be chosen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from carrel.backends.costs import Request
from carrel.backends.facts import facts_for, measured_facts, request_of
from carrel.backends.power import Power, in_words, power_state
from carrel.backends.selection import Facts, Refusal, Selection, select, why_not
from carrel.loading import network_models
from carrel.options import ReadOptions
from carrel.process_memory import MIB
from carrel_cli.common.running import running_of, running_options


@click.command("devices")
@click.option("--probe", is_flag=True, help="Measure everything anew.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@running_options
def command(probe: bool, as_json: bool, **running: Any) -> None:
    """Show what networks can run on here, what was measured, what is chosen, and why not the others."""
    options = ReadOptions(**running_of(running))
    request, models = request_of(options), network_models(options)
    facts = (measured_facts if probe else facts_for)(request, models)
    answer = select(request, facts)
    power = power_state()
    if as_json:
        click.echo(json.dumps(report(request, facts, answer) | {"power": asdict(power)}, indent=1))
        return
    for line in lines(request, facts, answer):
        click.echo(line)
    if told := power_line(power):
        click.echo(told)


def power_line(power: Power) -> str:
    """Return battery and heat in words, and that they change nothing; empty where the system tells nothing."""
    told = in_words(power)
    return f"power: {told}; the choice follows what was measured, not this" if told else ""


def report(request: Request, facts: Facts, answer: Selection | Refusal) -> dict[str, Any]:
    """Return everything as values for JSON; sizes in bytes, times in seconds."""
    return {
        "request": asdict(request),
        "devices": [asdict(found) for found in facts.found],
        "measured": [{**asdict(m), "why_not": why_not(m, answer, request, facts)} for m in facts.measured],
        "selection": asdict(answer) if isinstance(answer, Selection) else None,
        "refusal": asdict(answer) if isinstance(answer, Refusal) else None,
    }


def lines(request: Request, facts: Facts, answer: Selection | Refusal) -> Iterator[str]:
    """Tell everything in words."""
    for found in facts.found:
        yield f"{found.backend:12} {found.device:5} {found.missing or found.name}"
    if facts.measured:
        yield ""
        yield f"{'':26}   lines/s  first line    page  memory"
    for m in facts.measured:
        figures = (
            f"{m.lines_per_s:9.1f} {m.load_s + m.first_line_s:9.2f} s {m.page_s:6.3f} s {m.memory_bytes / MIB:4.0f} MiB"
        )
        yield f"{m.runtime!s:26} {'' if m.fault else figures}  {why_not(m, answer, request, facts)}"
    if not facts.measured:
        yield "nothing measured yet: carrel devices --probe"
    yield ""
    yield answer.message if isinstance(answer, Refusal) else _chosen(request, facts, answer)


def _chosen(request: Request, facts: Facts, answer: Selection) -> str:
    """Tell what was chosen, and why."""
    pages = "whole" if answer.whole_page else "in strips"
    until = ", the processor until it has loaded" if answer.starts_on_cpu else ""
    return (
        f"chosen: {answer.runtime}, {_why(request, facts, answer)}; {answer.threads} lines at a time, pages {pages}{until},"
        f" {answer.foreseen_bytes / MIB:,.0f} of {request.memory_bytes / MIB:,.0f} MiB foreseen for an A4 page at 300 dpi"
    )


def _why(request: Request, facts: Facts, answer: Selection) -> str:
    if request.names_one_runtime:
        return "as asked for"
    return "the fastest that is right and fits" if facts.result(answer.runtime) else "which is always there"
