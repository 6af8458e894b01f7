"""Structs of manifests, one a task; every number that reaches a kernel or an allocation has its bounds here.

``files`` names each file by a key; its ``role`` says what it is for. ``training_only`` files may be absent. A decoder's
``cache`` names which output of one step is which input of the next. Fields that are not named here are for people and
are skipped.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_CLASSES = 32_000
MAX_TOKENS = 512_000
MAX_BEAM_CELLS = 2_000_000
"""Beam width times classes: the search works in about 60 bytes for each."""

Name = Annotated[
    str,
    Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,120}\Z", description="1 to 120 characters in one line"),
]
Text = Annotated[str, Meta(max_length=4000, description="a text of at most 4,000 characters")]
Role = Literal["network", "encoder", "decoder", "ngram", "lexicon", "glyphs", "tokens", "weights", "other"]
Axis = Annotated[str, Meta(pattern=r"^[a-z_]{1,32}\Z", description="the name of an axis, a to z")]
Size = Annotated[int, Meta(ge=1, le=65_536)]
Shape = Annotated[tuple[Size | Axis, ...], Meta(max_length=8)]
TensorName = Annotated[str, Meta(min_length=1, max_length=120)]
Count = Annotated[int, Meta(ge=0, le=10**13)]
Pixels = Annotated[int, Meta(ge=1, le=1024)]
Temperature = Annotated[float, Meta(ge=0.05, le=20, description="a number from 0.05 to 20")]
# slope and shift of a logistic function whose exponent stays in the range of a float
Platt = tuple[Annotated[float, Meta(ge=-40, le=40)], Annotated[float, Meta(ge=-100, le=100)]]
Symbol = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,32}\Z",
        description="1 to 32 characters, none of them a control character",
    ),
]
Symbols = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+\Z",
        max_length=MAX_CLASSES,
        description=f"1 to {MAX_CLASSES:,} characters, none of them a control character",
    ),
]
SymbolList = Annotated[
    tuple[Symbol | None, ...],
    Meta(
        min_length=1,
        max_length=MAX_CLASSES,
        description=f"a text, or a list of texts, for 1 to {MAX_CLASSES:,} classes",
    ),
]


class FileEntry(Struct, frozen=True, kw_only=True):
    """A file of the folder: where it is, its size and digest, and what it is for."""

    path: Annotated[
        str,
        Meta(
            pattern=r"^(?![/~])(?!(.*/)?\.\.(/|\Z))[^\x00-\x1f\x7f-\x9f\\\ud800-\udfff]{1,240}\Z",
            description="a path that stays inside the folder; it leads outside the folder or is no name of a file",
        ),
    ]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="64 hex digits in lower case")]
    bytes: Annotated[int, Meta(ge=1, le=MAX_FILE_BYTES)]
    role: Role
    precision: Literal["fp32", "int8", ""] = ""
    runtime: Literal["onnx", "openvino", ""] = ""
    training_only: bool = False
    inputs: dict[TensorName, Shape] = {}
    outputs: dict[TensorName, Shape] = {}
    cache: dict[TensorName, TensorName] = {}


class TrainingSource(Struct, frozen=True, kw_only=True):
    """A source that a model was trained on, with its licence (``lic``) and language."""

    cite: Text = ""
    lic: Text = ""
    lang: Text = ""
    century: Text = ""
    url: Text = ""


Rate = Annotated[float, Meta(ge=0, le=100)]


class Learned(Struct, frozen=True, kw_only=True):
    """The lines that a model was learned from, by the names of their packs or folders, and what that changed.

    The rates are CERs on the lines that were kept, before and after, with their 95 % intervals. ``certainty`` is the share
    of resamples of these lines in which the model reads better than its parent, ``share`` how far from the parent it is.
    """

    collections: Annotated[list[Name], Meta(max_length=100)]
    pages: Count
    lines: Count
    kept_lines: Count
    cer_before: Rate
    cer_before_interval: tuple[Rate, Rate]
    cer_after: Rate
    cer_after_interval: tuple[Rate, Rate]
    certainty: Annotated[float, Meta(ge=0, le=1)]
    share: Annotated[float, Meta(ge=0, le=1)] = 1.0


class Manifest(Struct, frozen=True, kw_only=True):
    """The fields of manifests of every task."""

    format_version: Annotated[int, Meta(ge=1, le=2)]
    task: Name
    name: Name
    licence: Annotated[str, Meta(min_length=1, max_length=4000, description="a licence, 1 to 4,000 characters")]
    files: Annotated[
        dict[
            Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,40}\Z", description="1 to 40 of a-z, 0-9, - and _")], FileEntry
        ],
        Meta(min_length=1, max_length=32, description="an object of 1 to 32 files"),
    ]
    origin: Text = ""
    parent: Text = ""
    learned: Learned | None = None
    parameters: Count = 0
    training_sources: Annotated[dict[Name, TrainingSource], Meta(max_length=1000)] = {}
    figures: dict[str, Any] = {}


MIN_SCRIPT_LETTERS = 15
"""Of a script's letters in an alphabet, from which it counts as one that is read: strays of Greek are fewer."""


class LineInput(Struct, frozen=True, kw_only=True):
    """The input that a network takes for a line; see `carrel.image.ink.LineInput`."""

    height_px: Annotated[int, Meta(ge=8, le=1024)]
    margin_px: Annotated[int, Meta(ge=0, le=1024)]
    kind: Literal["ink", "inverted", "signed"] = "ink"
    width_multiple_px: Pixels = 4
    min_width_px: Annotated[int, Meta(ge=0, le=4096)] = 0
    scaling: Text = ""


class Greedy(Struct, frozen=True, kw_only=True):
    """Confidences of the best path, as slope and shift of Platt's scaling, doi:10.1145/1102351.1102430."""

    temperature: Temperature
    confidence: Platt
    character_confidence: Platt | None = None


class Search(Struct, frozen=True, kw_only=True):
    """Settings and confidences of the beam search with a language model; see `carrel.decode.options.DecodeOptions`."""

    beam_width: Annotated[int, Meta(ge=1, le=1000)]
    beam_threshold: Annotated[float, Meta(ge=0, lt=1)]
    temperature: Temperature
    language_weight: Annotated[float, Meta(ge=0, le=10)]
    length_bonus: Annotated[float, Meta(ge=0.1, le=100)]
    lexicon_penalty: Annotated[float, Meta(ge=0.001, le=1)] = 1.0
    confidence: Platt
    character_confidence: Platt | None = None
    class_bias: Annotated[tuple[Annotated[float, Meta(ge=-100, le=100)], ...], Meta(max_length=MAX_CLASSES + 1)] = ()


class Calibration(Struct, frozen=True, kw_only=True):
    """Figures fitted on lines of the split ``fitted_on``."""

    greedy: Greedy
    search: Search
    fitted_on: Text = ""


class Recognition(Manifest, frozen=True, kw_only=True):
    """A network from a line to logits. Class 0 is the blank, class ``i`` is written ``symbols[i - 1]``.

    An entry None of the alphabet writes nothing. ``network`` or ``networks`` hold the shape of what was trained.
    ``letter_order`` is how the frames follow each other in lines that run from right to left: as they are read, or "display", from
    left to right as they stand on the page.
    """

    input: LineInput
    alphabet: SymbolList  # a text stands for its characters
    blank: Annotated[int, Meta(ge=0, le=0, description="0: the blank is class 0")]
    stride_px: Annotated[int, Meta(ge=1, le=256)]
    calibration: Calibration
    size: Text = ""
    languages: list[Name] = []
    network: dict[str, Any] | None = None
    networks: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=16)] | None = None
    kept_fp32: dict[str, Any] = {}
    letter_order: Literal["logical", "display"] = "logical"

    @property
    def symbols(self) -> tuple[str, ...]:
        """The texts of classes 1, 2, ...."""
        return tuple(symbol or "" for symbol in self.alphabet)

    @property
    def trained_languages(self) -> list[str]:
        """Tags of the languages that it reads: as the manifest says, else those of its training sources."""
        return self.languages or sorted({source.lang for source in self.training_sources.values() if source.lang})

    @property
    def scripts(self) -> list[str]:
        """Scripts that it reads, by their names in Unicode, such as LATIN: those with letters enough to write."""
        letters = Counter(
            unicodedata.name(letter, "").partition(" ")[0] for letter in "".join(self.symbols) if letter.isalpha()
        )
        return [script for script, count in letters.most_common() if count >= MIN_SCRIPT_LETTERS]


class PageInput(Struct, frozen=True, kw_only=True):
    """The input that the segmenter takes for a page: its longest side, and the multiples of height and width, px."""

    longest_side_px: Annotated[int, Meta(ge=64, le=8192)]
    multiple_px: tuple[Pixels, Pixels]
    name: Literal["ink"] = "ink"
    scaling: Text = ""


class Maps(Struct, frozen=True, kw_only=True):
    """The output of the segmenter: its maps, and the height and width of their cells, px of the input."""

    channels: tuple[Literal["baseline"], Literal["body"], Literal["start"], Literal["end"]]
    cell_px: tuple[Pixels, Pixels]
    name: Literal["maps"] = "maps"


class Segmentation(Manifest, frozen=True, kw_only=True):
    """A network from a page to maps of lines."""

    input: PageInput
    output: Maps
    windows_trained: Count = 0


class Probability(Struct, frozen=True, kw_only=True):
    """The output of the classifier."""

    name: Literal["handwritten"] = "handwritten"
    meaning: Text = ""


class Logistic(Struct, frozen=True, kw_only=True):
    """The calibration that the network holds."""

    scale: Annotated[float, Meta(ge=-1000, le=1000)]
    shift: Annotated[float, Meta(ge=-1000, le=1000)]
    fitted_on: Text = ""


class WritingInput(LineInput, frozen=True, kw_only=True):
    """The input that the classifier takes for a line."""

    kind: Literal["ink"] = "ink"
    name: Literal["ink"] = "ink"


class Writing(Manifest, frozen=True, kw_only=True):
    """A network from a line to the probability that it is handwritten."""

    input: WritingInput
    calibration: Logistic
    output: Probability = Probability()


class Language(Manifest, frozen=True, kw_only=True):
    """A character n-gram model; a line feed in its alphabet stands for the end of a line."""

    alphabet: Symbols
    order: Annotated[int, Meta(ge=1, le=16)] = 1
    languages: list[Name] = []


class GlyphInput(Struct, frozen=True, kw_only=True):
    """The input that the glyph network takes: the side of a square of ink, and of the square that the ink is scaled into."""

    side_px: Annotated[int, Meta(ge=28, le=28, description="28")]
    body_px: Annotated[int, Meta(ge=20, le=20, description="20")]
    name: Literal["ink"] = "ink"
    scaling: Text = ""


class Glyphs(Manifest, frozen=True, kw_only=True):
    """A network from a single character to logits. Class 0 is no character, class ``i`` is ``alphabet[i - 1]``."""

    input: GlyphInput
    alphabet: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=1)], ...], Meta(min_length=1, max_length=1000)
    ]


class Picture(Struct, frozen=True, kw_only=True):
    """The picture that an encoder takes for a line, scaled to this size whatever its shape: black 0, white 1."""

    height_px: Annotated[int, Meta(ge=8, le=1024)]
    width_px: Annotated[int, Meta(ge=8, le=4096)]
    resampling: Literal["bilinear", "bicubic", "lanczos"]


class Stack(Struct, frozen=True, kw_only=True):
    """The size of an encoder or decoder: layers, heads, channels of its layers and of each head, and most positions."""

    layers: Annotated[int, Meta(ge=1, le=64)]
    heads: Annotated[int, Meta(ge=1, le=64)]
    width: Annotated[int, Meta(ge=1, le=4096)]
    head_width: Annotated[int, Meta(ge=1, le=512)]
    positions: Annotated[int, Meta(ge=2, le=16_384)]


Token = Annotated[int, Meta(ge=0, lt=MAX_TOKENS)]


class Decoding(Struct, frozen=True, kw_only=True):
    """Settings of the search over tokens; see `carrel.recognizers.seq2seq.search.Rules`."""

    start: Token
    ends: Annotated[tuple[Token, ...], Meta(min_length=1, max_length=8)]
    beam_width: Annotated[int, Meta(ge=1, le=16)] = 4
    length_penalty: Annotated[float, Meta(ge=0, le=4)] = 1.0
    early_stopping: bool = True


class TextCalibration(Struct, frozen=True, kw_only=True):
    """Confidences as slope and shift of Platt's scaling, fitted on lines of the split ``fitted_on``."""

    confidence: Platt
    character_confidence: Platt
    fitted_on: Text = ""


class Seq2seq(Manifest, frozen=True, kw_only=True):
    """An encoder of lines and a decoder that writes ``tokens`` of them; without ``calibration``, every line is for review."""

    input: Picture
    encoder: Stack
    decoder: Stack
    decoding: Decoding
    tokens: Annotated[int, Meta(ge=2, le=MAX_TOKENS)]
    calibration: TextCalibration | None = None
    languages: list[Name] = []
    kept_fp32: dict[str, Any] = {}
