"""The table of tasks: what a manifest holds for each, what its networks take and give, and the checks across fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from carrel.models import manifest as kinds
from carrel.models.manifest import FileEntry, Glyphs, Language, Manifest, Recognition, Segmentation, Seq2seq, Writing
from carrel.models.problems import odd_values, problems_of, taken

FORMAT_VERSIONS = (1, 2)
MOST_PROBLEMS = 50
"""Problems that a message names; of more, it says how many."""

_ONNX_ROLES = ("network", "encoder", "decoder")

FileShapes = Mapping[str, tuple[int | str, ...]]
"""Tensors of a network with their axes: a number where the size is fixed, else a word."""

FILE_KINDS: dict[str, dict[str, object]] = {
    "onnx": {"role": "network", "precision": "fp32", "runtime": "onnx"},
    "onnx-fp32": {"role": "network", "precision": "fp32", "runtime": "onnx"},
    "onnx-int8": {"role": "network", "precision": "int8", "runtime": "onnx"},
    "openvino-fp32": {"role": "network", "precision": "fp32", "runtime": "openvino"},
    "openvino-int8": {"role": "network", "precision": "int8", "runtime": "openvino"},
    "openvino-fp32-weights": {"role": "other"},
    "openvino-int8-weights": {"role": "other"},
    "weights": {"role": "weights", "training_only": True},
    "encoder-fp32": {"role": "encoder", "precision": "fp32", "runtime": "onnx"},
    "encoder-int8": {"role": "encoder", "precision": "int8", "runtime": "onnx"},
    "decoder-fp32": {"role": "decoder", "precision": "fp32", "runtime": "onnx"},
    "decoder-int8": {"role": "decoder", "precision": "int8", "runtime": "onnx"},
    "tokens": {"role": "tokens"},
    "ngram": {"role": "ngram"},
    "lexicon": {"role": "lexicon"},
}
"""What files of the usual keys are for; version 1 of the manifest said it by the key alone."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task: its struct, the roles without which nothing can be read, the tensors of its networks by role, further checks."""

    kind: type[Manifest]
    needed: tuple[str, ...]
    tensors: Mapping[str, Callable[[Any], tuple[FileShapes, FileShapes]]]
    checks: Callable[[Mapping[str, object]], Iterator[str]]


def parse(raw: Mapping[str, object], task: str) -> Manifest:
    """Return the manifest of a known ``task`` as its struct.

    Raises
    ------
    ValueError
        Something in it is wrong: everything that is, in one message.
    """
    entry = TASKS[task]
    upgraded = _upgraded(raw)
    found = [*problems_of(upgraded, entry.kind), *entry.checks(upgraded)]
    found += [odd for odd in odd_values(raw) if not any(_place(odd) in problem for problem in found)]
    found += _without(upgraded, entry.needed)
    if found:
        raise ValueError(shown(found))
    return msgspec.convert(upgraded, entry.kind)


def common_problems(raw: Mapping[str, object]) -> list[str]:
    """Return what is wrong with the fields that every task has; for manifests of no known task."""
    upgraded = _upgraded(raw)
    return [*(p for p in problems_of(upgraded, Manifest) if _place(p) != "$.task"), *odd_values(raw)]


def shown(problems: list[str]) -> str:
    """Join problems to one line without control characters."""
    more = len(problems) - MOST_PROBLEMS
    line = "; ".join([*problems[:MOST_PROBLEMS], *([f"and {more:,} more"] if more > 0 else [])])
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)


def tensors_of(manifest: Manifest, entry: FileEntry) -> tuple[FileShapes, FileShapes]:
    """Return what a network takes and gives: as its file's entry says, else as is usual for the task."""
    if entry.inputs or entry.outputs:
        return entry.inputs, entry.outputs
    shapes = TASKS[manifest.task].tensors.get(entry.role)
    return shapes(manifest) if shapes is not None else ({}, {})


def _place(problem: str) -> str:
    return problem.partition(": ")[0]


def _upgraded(raw: Mapping[str, object]) -> dict[str, object]:
    """A manifest with its classes as a list; one of version 1 with what version 2 says in words."""
    upgraded = dict(raw)
    files, sources, alphabet = (raw.get(key) for key in ("files", "training_sources", "alphabet"))
    if raw.get("task") == "recognition" and isinstance(alphabet, str):
        upgraded["alphabet"] = list(alphabet)
    if raw.get("format_version") != 1 or isinstance(raw.get("format_version"), bool):
        return upgraded
    if isinstance(files, dict):
        upgraded["files"] = {
            key: {**FILE_KINDS.get(key, {"role": "other"}), **entry} if isinstance(entry, dict) else entry
            for key, entry in cast(dict[str, object], files).items()
        }
    if isinstance(sources, list):
        upgraded["training_sources"] = _named(cast(list[object], sources))
    if isinstance(alphabet, list):  # a class that writes nothing was an empty text
        upgraded["alphabet"] = [None if symbol == "" else symbol for symbol in cast(list[object], alphabet)]
    return upgraded


def _named(sources: list[object]) -> object:
    """Sources of a list by their names; the list where they have none."""
    entries = [cast(dict[str, object], source) for source in sources if isinstance(source, dict)]
    if len(entries) < len(sources) or not all(isinstance(entry.get("name"), str) for entry in entries):
        return sources
    return {str(e["name"]): {"lic": e.get("licence", ""), **e} for e in entries}


def _without(raw: Mapping[str, object], needed: tuple[str, ...]) -> list[str]:
    """The problems that there is no file to read with."""
    files = taken(raw, dict[str, Any], "files")
    if not files:
        return []  # said already
    roles = [(taken(files, str, key, "role"), taken(files, str, key, "runtime")) for key in files]
    there = {role for role, runtime in roles if runtime == "onnx" or role not in _ONNX_ROLES}
    return [
        f"$.files: none has the role {role!r}" + (" and is ONNX" if role in _ONNX_ROLES else "")
        for role in needed
        if role not in there
    ]


def _recognition(raw: Mapping[str, object]) -> Iterator[str]:
    alphabet = taken(raw, cast(type[tuple[str | None, ...]], kinds.SymbolList), "alphabet")
    if alphabet is None:
        return
    yield from _twice([symbol for symbol in alphabet if symbol is not None])
    classes = len(alphabet) + 1
    bias = taken(raw, list[float], "calibration", "search", "class_bias")
    if bias and len(bias) != classes:
        yield f"$.calibration.search.class_bias: class_bias must hold a number for each of {classes} classes"
    width = taken(raw, int, "calibration", "search", "beam_width")
    if width is not None and 1 <= width <= 1000 and width * classes > kinds.MAX_BEAM_CELLS:
        yield f"$.calibration.search.beam_width: too wide for {classes:,} classes; at most {kinds.MAX_BEAM_CELLS // classes}"


def _twice(symbols: list[str]) -> Iterator[str]:
    twice = [symbol for symbol, times in Counter(symbols).items() if times > 1]
    if twice:
        yield f"$.alphabet: holds {', '.join(map(repr, twice[:5]))} twice"


def _language(raw: Mapping[str, object]) -> Iterator[str]:
    yield from _twice(list(taken(raw, cast(type[str], kinds.Symbols), "alphabet") or ""))


def _glyphs(raw: Mapping[str, object]) -> Iterator[str]:
    yield from _twice(list(taken(raw, tuple[str, ...], "alphabet") or ()))


def _seq2seq(raw: Mapping[str, object]) -> Iterator[str]:
    count = taken(raw, int, "tokens")
    start, ends = taken(raw, int, "decoding", "start"), taken(raw, list[int], "decoding", "ends")
    if count is not None and any(token >= count for token in (start or 0, *(ends or ()))):
        yield f"$.decoding: names a token that is none of the {count:,}"


def _no_more(_: Mapping[str, object]) -> Iterator[str]:
    yield from ()


def _line_to_logits(manifest: Recognition) -> tuple[FileShapes, FileShapes]:
    ink = {"ink": ("n", 1, manifest.input.height_px, "width")}
    return ink, {"logits": ("n", "t", len(manifest.alphabet) + 1)}


def _page_to_maps(manifest: Segmentation) -> tuple[FileShapes, FileShapes]:
    return {"ink": ("n", 1, "height", "width")}, {"maps": ("n", len(manifest.output.channels), "rows", "columns")}


def _line_to_probability(manifest: Writing) -> tuple[FileShapes, FileShapes]:
    return {"ink": ("n", 1, manifest.input.height_px, "width")}, {"handwritten": ("n",)}


def _character_to_logits(manifest: Glyphs) -> tuple[FileShapes, FileShapes]:
    side_px = manifest.input.side_px
    return {"ink": ("n", 1, side_px, side_px)}, {"logits": ("n", len(manifest.alphabet) + 1)}


def _line_to_keys(manifest: Seq2seq) -> tuple[FileShapes, FileShapes]:
    line = {"line": ("n", 1, manifest.input.height_px, manifest.input.width_px)}
    return line, _of_line(manifest)


def _tokens_to_logits(manifest: Seq2seq) -> tuple[FileShapes, FileShapes]:
    decoder = manifest.decoder
    past, added = (("beams", decoder.heads, t, decoder.head_width) for t in ("t", 1))
    inputs = {"token": ("beams",), "position": (1,), "mask": ("t",)}
    outputs = {"logits": ("beams", manifest.tokens)}
    return (
        {**inputs, **_of_line(manifest), **_of_layers(decoder.layers, "", past, past)},
        {**outputs, **_of_layers(decoder.layers, "added_", added, added)},
    )


def _of_line(manifest: Seq2seq) -> FileShapes:
    """Keys and values that a line gives to every layer of the decoder."""
    decoder, positions = manifest.decoder, manifest.encoder.positions
    keys, values = (decoder.heads, decoder.head_width, positions), (decoder.heads, positions, decoder.head_width)
    return _of_layers(decoder.layers, "line_", keys, values)


def _of_layers(layers: int, prefix: str, key: tuple[int | str, ...], value: tuple[int | str, ...]) -> FileShapes:
    names = [(f"{prefix}key_{layer}", f"{prefix}value_{layer}") for layer in range(layers)]
    return {name: shape for pair in names for name, shape in zip(pair, (key, value), strict=True)}


TASKS: dict[str, Task] = {
    "recognition": Task(Recognition, ("network",), {"network": _line_to_logits}, _recognition),
    "segmentation": Task(Segmentation, ("network",), {"network": _page_to_maps}, _no_more),
    "writing": Task(Writing, ("network",), {"network": _line_to_probability}, _no_more),
    "glyphs": Task(Glyphs, ("network",), {"network": _character_to_logits}, _glyphs),
    "language": Task(Language, ("ngram",), {}, _language),
    "seq2seq": Task(
        Seq2seq, ("encoder", "decoder", "tokens"), {"encoder": _line_to_keys, "decoder": _tokens_to_logits}, _seq2seq
    ),
}
"""Every task that this version knows."""
