"""``carrel devices``: what networks can run on here, how fast, and what would be chosen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from carrel.backends.choose import asked_of, candidates, known_survey, refusal_text
from carrel.backends.costs import costs
from carrel.backends.plan import MIB, Asked, Measured, Plan, Refusal, plan
from carrel.backends.power import Power, in_words, power_state
from carrel.backends.probe import Survey, survey
from carrel.loading import network_models
from carrel.options import ReadOptions
from carrel_cli.running import running_of, running_options


@click.command("devices")
@click.option("--probe", is_flag=True, help="Measure everything anew.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@running_options
def command(probe: bool, as_json: bool, **running: Any) -> None:
    """Show what networks can run on here, what was measured, what is chosen, and why not the others."""
    options = ReadOptions(**running_of(running))
    asked, models = asked_of(options), network_models(options)
    done = (
        survey(models, asked.cores, fits=lambda runtime: True, thorough=True) if probe else known_survey(asked, models)
    )
    chosen = plan(candidates(done), done.measured, asked, costs())
    power = power_state()
    if as_json:
        click.echo(json.dumps(report(done, chosen, asked) | {"power": asdict(power)}, indent=1))
        return
    for line in lines(done, chosen, asked):
        click.echo(line)
    if told := power_line(power):
        click.echo(told)


def power_line(power: Power) -> str:
    """Battery and heat in words, and that they change nothing; empty where the system tells nothing."""
    told = in_words(power)
    return f"power: {told}; the choice follows what was measured, not this" if told else ""


def report(done: Survey, chosen: Plan | Refusal, asked: Asked) -> dict[str, Any]:
    """Everything as values for JSON; sizes in bytes, times in seconds."""
    verdicts = {str(m.runtime): why_not(m, chosen, done, asked) for m in done.measured}
    return {
        "asked": asdict(asked),
        "devices": [asdict(found) for found in done.found],
        "measured": [{**asdict(m), "why_not": verdicts[str(m.runtime)]} for m in done.measured],
        "plan": asdict(chosen) if isinstance(chosen, Plan) else None,
        "refusal": asdict(chosen) if isinstance(chosen, Refusal) else None,
    }


def lines(done: Survey, chosen: Plan | Refusal, asked: Asked) -> Iterator[str]:
    """Everything in words."""
    for found in done.found:
        yield f"{found.backend:12} {found.device:5} {found.missing or found.name}"
    if done.measured:
        yield ""
        yield f"{'':26}   lines/s  first line    page  memory"
    for m in done.measured:
        figures = (
            f"{m.lines_per_s:9.1f} {m.load_s + m.first_line_s:9.2f} s {m.page_s:6.3f} s {m.memory_bytes / MIB:4.0f} MiB"
        )
        yield f"{m.runtime!s:26} {'' if m.fault else figures}  {why_not(m, chosen, done, asked)}"
    if not done.measured:
        yield "nothing measured yet: carrel devices --probe"
    yield ""
    if isinstance(chosen, Refusal):
        yield refusal_text(chosen, done, asked)
        return
    yield (
        f"chosen: {chosen.runtime}, {chosen.threads} lines at a time, pages {'whole' if chosen.whole_page else 'in strips'}"
        f"{', the processor until it has loaded' if chosen.starts_on_cpu else ''},"
        f" {chosen.foreseen_bytes / MIB:,.0f} of {asked.memory_bytes / MIB:,.0f} MiB foreseen for an A4 page at 300 dpi"
    )


def why_not(measured: Measured, chosen: Plan | Refusal, done: Survey, asked: Asked) -> str:
    """Why a runtime was not chosen; "chosen" for the one that was."""
    if isinstance(chosen, Plan) and measured.runtime == chosen.runtime:
        return "chosen"
    if measured.fault:
        return measured.fault
    alone = plan([measured.runtime], [measured], asked, costs())
    if isinstance(alone, Refusal):
        return alone.reason if not alone.least_bytes else f"needs {alone.least_bytes // MIB:,} MiB"
    best = next((m for m in done.measured if isinstance(chosen, Plan) and m.runtime == chosen.runtime), None)
    if best is None:
        return ""
    ratio = measured.seconds_for(asked.lines) / best.seconds_for(asked.lines)
    return f"{ratio:.2f} times the time for {asked.lines:,} lines"
