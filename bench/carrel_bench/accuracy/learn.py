"""The worth of learning from so many corrected lines: ``carrel learn`` itself, on collections and on other hands.

``python -m carrel_bench learn --data DIR --source NAME... [--lines 0,20,50,200] [--from MODEL] [--keep-others]``: DIR holds
line packs. The first ``train`` lines of a source are what a person has corrected; its ``test`` lines are read with the model,
in int8, with the language model, and those of the other sources beside them. Where the gate refuses, the parent's figures
stand. ``with words`` adds the corrected text to the language model, as ``carrel words`` does: to the model that was learned,
and, as ``words alone``, to the parent. A collection counts as unseen only with a MODEL that was not trained on it; the manifest of a model names its sources.
``--python`` names an interpreter that has the extra ``learn``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp

from carrel.decode.model import LanguageModel
from carrel.evaluate import character_errors
from carrel.loading import HANDWRITING_MODEL, load_language, shipped_language
from carrel.models.folders import folder_of, open_model
from carrel.review.training_lines import LineRow, LineSample, pack_files, read_packs, write_pack
from carrel_bench.accuracy.packs import drawn_evenly
from carrel_bench.figures import BenchError, Figure, Options, Table, figures_of
from carrel_bench.measure import Cost, cost_of
from carrel_bench.models import handwriting_model, recognizer_of

DATA = "lines"
COMMANDS = {
    "learn": "from carrel_export.learn.command import command; command()",
    "words": "from carrel_export.learn.words_command import command; command()",
}
REFUSED = 3
"""Exit code where the gate refuses, or lines are too few."""
OPTIONS: Table = {
    "--source": {"action": "append", "help": "collection to learn; may be repeated  [default: the first]"},
    "--lines": {"default": "0,20,50,200", "help": "numbers of corrected lines  [default: 0,20,50,200]"},
    "--from": {"dest": "parent", "type": Path, "default": Path(HANDWRITING_MODEL), "help": "model to learn from"},
    "--keep-others": {"action": "store_true", "help": "learn so that other hands are forgotten less"},
    "--learn-minutes": {"type": float, "default": 20.0, "help": "as --minutes of carrel learn  [default: 20]"},
    "--test-lines": {"type": int, "default": 150, "help": "of the collection, and of all others together"},
}


def measure(options: Options) -> Iterator[Figure]:
    """Yield CER on the collection and on others, by number of lines, with the cost of learning.

    Raises
    ------
    BenchError
        Learning failed, or the packs lack lines.
    """
    counts = [20] if options.quick else [int(count) for count in options.lines.split(",")]
    packs = [file.stem for file in pack_files(options.data)]
    sources = options.source or packs[:1]
    others = [s for name in packs if name not in sources for s in _test_lines(options.data, name, options.test_lines)]
    for source in sources:
        learning = list(islice(read_packs(options.data, ("train",), [source]), max(1, *counts)))
        own = _test_lines(options.data, source, options.test_lines)
        if not learning or not own:
            raise BenchError(f"no train and test lines of {source} in {options.data}", 3)
        tested = [drawn_evenly(lines, min(options.test_lines, len(lines))) for lines in (own, others) if lines]
        for count in counts:
            yield from _of_count(source, learning[:count], tested, options)


def _test_lines(packs: Path, source: str, most: int) -> list[LineSample]:
    return list(islice(read_packs(packs, ("test",), [source]), most))


def _of_count(
    source: str, lines: Sequence[LineSample], tested: Sequence[Sequence[LineSample]], options: Options
) -> Iterator[Figure]:
    model, found, language = folder_of(options.parent), dict[str, float](), shipped_language()
    at = Path(mkdtemp(dir=options.scratch))
    if lines:
        pack = at / f"{source}.zip"
        write_pack(pack, ((LineRow(f"{Path(s.name).stem}.png", s.text, s.page, "train"), s.gray) for s in lines))
        _run("words", [pack, "--to", at / "words"], options)
        words = load_language(open_model(at / "words", "language"))
        found["CER, words alone"] = cer_of(model, tested[0], words)
        cost = _learn(pack, at / "model", options)
        found |= {"CPU s to learn": cost.cpu_s, "peak MiB to learn": cost.peak_mib}
        found["published"] = float(cost.answer.returncode == 0)
        model = at / "model" if cost.answer.returncode == 0 else model
        found["CER, with words"] = cer_of(model, tested[0], words)
    for name, samples in zip(("CER", "CER, other hands"), tested, strict=False):
        found[name] = cer_of(model, samples, language)
    yield from figures_of("learn", source, str(len(lines)), found)


def _learn(pack: Path, target: Path, options: Options) -> Cost:
    arguments = [pack, "--from", options.parent, "--to", target, "--minutes", options.learn_minutes, "-q"]
    arguments += ["--keep-others"] if options.keep_others else []
    return _run("learn", arguments, options)


def _run(name: str, arguments: Sequence[object], options: Options) -> Cost:
    """Run ``carrel NAME``."""
    program = [options.python or sys.executable, "-c", _with_exit_codes(COMMANDS[name])]
    cost = cost_of([*program, *map(str, arguments)], {"OMP_NUM_THREADS": "1"})
    if cost.answer.returncode not in (0, REFUSED):
        said = (cost.answer.stderr.strip() or "it said nothing").splitlines()[-1]
        raise BenchError(f"carrel {name} failed with exit status {cost.answer.returncode}: {said}")
    return cost


def _with_exit_codes(program: str) -> str:
    """A program that ends as ``carrel`` does where an error of Carrel's own is raised."""
    return (
        "import sys\nfrom carrel.errors import CarrelError\n"
        f"try:\n    {program}\nexcept CarrelError as error:\n    print(error, file=sys.stderr)\n    sys.exit(error.exit_code)\n"
    )


def cer_of(folder: Path, samples: Sequence[LineSample], language: LanguageModel) -> float:
    """Return the CER of lines read as at run time: int8, with a language model."""
    recognizer = recognizer_of(handwriting_model(folder), language)
    errors = sum(
        character_errors(s.text, recognizer.text_of(recognizer.decode(recognizer.logits_of(s.gray))[0]))
        for s in samples
    )
    return errors / max(1, sum(len(s.text) for s in samples))
