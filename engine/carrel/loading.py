"""The models of a reader: verified, planned for, loaded, and put together for the options given."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from carrel.backends.facts import new_budget, request_of, selection_for
from carrel.backends.runtimes.networks import is_plain, open_line_network, open_page_network
from carrel.backends.selection import Selection
from carrel.budget import Budget, Load, PageSize, page_bytes, process_budget
from carrel.decode.lexicon import parse_words
from carrel.decode.model import LanguageModel
from carrel.decode.ngram import parse_ngrams, read_ngrams
from carrel.decode.word_files import read_text, words_of_text
from carrel.errors import ModelError
from carrel.image.source import largest_page
from carrel.languages import tesseract_code
from carrel.layout import Heatmaps
from carrel.models import manifest as manifests
from carrel.models.folders import Model, folder_of, has_shipped_model, open_model, shipped_model
from carrel.options import ReadOptions
from carrel.process_memory import trim
from carrel.recognizers.beside import ctc_of, with_encoder_decoder, with_second, without_language
from carrel.recognizers.ctc import CtcRecognizer
from carrel.recognizers.late import LateRecognizer
from carrel.recognizers.printed import TesseractRecognizer
from carrel.recognizers.routing import ENCODER_DECODER, ROUTES, Router, routes_for
from carrel.recognizers.script import detect_script, scripts_of_languages
from carrel.recognizers.tesseract import Tesseract
from carrel.recognizers.writing import WritingClassifier

if TYPE_CHECKING:
    from carrel.forms.reading import FormReader
    from carrel.forms.template import Form

HANDWRITING_MODEL = "handwriting-fast"
LANGUAGE_MODEL = "language-fr-en-de"
WRITING_MODEL = "writing"
GLYPHS_MODEL = "glyphs"
SEGMENTER_MODEL = "segmenter"
NGRAMS, LEXICON = "ngram", "lexicon"


@dataclass(frozen=True)
class Engines:
    """Recognizers and the segmenter that read a page, and ``form`` that reads its fields where there is one. ``heatmaps`` is the line segmenter, None where it is not installed; ``models`` names
    every model as ``name@sha256[:12]``; ``selection`` says on what, and how much at a time, within the ``budget``."""

    router: Router
    heatmaps: Heatmaps | None
    models: tuple[str, ...]
    selection: Selection
    budget: Budget
    form: FormReader | None = None

    def threads_for(self, pixels: int) -> int:
        """Return how many lines to read at the same time on a page of so many pixels: fewer than planned where it is large."""
        budget = self.budget
        if budget.limit_bytes is None:
            return self.selection.threads
        if budget.room_bytes() < budget.limit_bytes // 2:
            trim()
        spare = budget.usable_bytes - budget.fixed_bytes - page_bytes(pixels)
        return max(1, min(self.selection.threads, 1 + int(spare // max(1, self.selection.thread_bytes))))


def network_models(options: ReadOptions) -> dict[str, Model]:
    """Return the networks that reading needs, by task.

    Raises
    ------
    ModelError
        One is missing or damaged.
    """
    handwriting = shipped_model(HANDWRITING_MODEL, "recognition")
    if options.model is not None and (named := _handwriting_model(options.model)).task == "recognition":
        handwriting = named
    models = {"recognition": handwriting, "writing": shipped_model(WRITING_MODEL, "writing")}
    if has_shipped_model(SEGMENTER_MODEL):
        models["segmentation"] = shipped_model(SEGMENTER_MODEL, "segmentation")
    return models


def budget_for(options: ReadOptions, given: Budget | None = None) -> Budget:
    """Return the memory budget of this process: the one in use, or ``given``, or one made of the options.

    Raises
    ------
    UsageError
        Another budget is in use.
    """
    return process_budget(options.memory_bytes, partial(new_budget, options.memory_bytes), given)


def load_engines(
    options: ReadOptions,
    files: Sequence[Path] = (),
    budget: Budget | None = None,
    largest: PageSize | None = None,
) -> Engines:
    """Load everything that reading needs, within the budget of this process.

    The runtime is selected for the pages of ``files``, or for the ``largest`` one, where they are given: each refusal
    then names the smallest limit that will do.

    The handwriting model is verified and, unless the options ask for it, opened at the first line that needs it; of the
    shipped language model sizes are compared at once, and digests then.

    Raises
    ------
    ModelError
        A model or a language of Tesseract is missing or damaged.
    UsageError
        A device that was asked for is not there, nothing fits into the memory, or another budget is in use.
    """
    models = network_models(options)
    printed = TesseractRecognizer(options.languages, options.line_timeout_s)
    form = _form_of(options)
    budget = budget_for(options, budget)
    if largest is None and files:
        largest = largest_page(files, options.max_megapixels)
    request = request_of(options, budget, page=None, largest=largest)  # whether a page fits is looked at when it comes
    selected = selection_for(request, models)
    handwriting, writing, segmenter = models["recognition"], models["writing"], models.get("segmentation")
    known, language_identity = _late_language(options) if options.language_model else (without_language, None)
    ctc = LateRecognizer(CtcRecognizer.name, partial(_open_handwriting, handwriting, known, selected, budget))
    if options.writing == "handwritten" or options.model is not None or not is_plain(selected.runtime):
        ctc.opened()
    else:  # a damaged model is refused at once, not at the first line
        handwriting.read_file(handwriting.network_file(selected.runtime.precision))
    told_apart = open_line_network(
        writing, selected.runtime, selected.threads, budget, starts_on_cpu=selected.starts_on_cpu
    )
    classifier = WritingClassifier(writing, told_apart)
    second = _second_model(options)
    whole = _encoder_decoder(options)
    used = [model.identity for model in (segmenter, writing, handwriting, whole, second) if model is not None]
    router = _router(options, printed, ctc, handwriting, classifier)
    if whole is not None:
        router = with_encoder_decoder(router, whole, selected, budget)
    if second is not None:
        router = with_second(router, second, known, selected, budget)
    fields, glyphs_identity = _form_reader(form, options, ctc, selected, budget) if form else (None, [])
    engines = Engines(
        router,
        open_page_network(segmenter, selected.runtime, budget, starts_on_cpu=selected.starts_on_cpu)
        if segmenter
        else None,
        (
            *used,
            *([language_identity] if language_identity else []),
            *glyphs_identity,
            *([form.identity] if form else []),
        ),
        selected,
        budget,
        fields,
    )
    change = selected.next_fixed_bytes - selected.fixed_bytes
    load = Load(selected.own_bytes, selected.fixed_bytes - request.beside_bytes, change)
    budget.add_load(engines, load)
    return engines


def _form_of(options: ReadOptions) -> Form | None:
    if options.form is None:
        return None
    from carrel.forms.template import load_form  # what only forms need is not loaded for every page

    return load_form(options.form)


def _form_reader(
    form: Form, options: ReadOptions, ctc: LateRecognizer, selected: Selection, budget: Budget
) -> tuple[FormReader, list[str]]:
    """The reader of a form's fields, and the identity of the glyph network that it uses.

    Raises
    ------
    ModelError
        A language of its fields is not installed, or it has letters in boxes and there is no glyph network.
    """
    from carrel.forms.reading import FormReader
    from carrel.forms.values import Recognizers
    from carrel.recognizers.glyphs.reader import GlyphReader

    languages = dict.fromkeys(
        [*options.languages, *(tesseract_code(f.language) for f in form.template.fields if f.language)]
    )
    glyphs, identity = None, list[str]()
    if has_shipped_model(GLYPHS_MODEL):
        model = shipped_model(GLYPHS_MODEL, "glyphs")
        network = open_line_network(model, selected.runtime, selected.threads, budget)
        glyphs, identity = GlyphReader(model.manifest_as(manifests.Glyphs).alphabet, network), [model.identity]
    elif any(field.kind == "boxes" for field in form.template.fields):
        raise ModelError(f"{options.form}: has letters in boxes, and the model {GLYPHS_MODEL} is not installed")

    recognizers = Recognizers(partial(ctc_of, ctc), Tesseract(tuple(languages), options.line_timeout_s), glyphs)
    return FormReader(form, recognizers, options.languages[0]), identity


def _router(
    options: ReadOptions, printed: TesseractRecognizer, ctc: LateRecognizer, model: Model, classifier: WritingClassifier
) -> Router:
    scripts = {
        printed.name: scripts_of_languages(options.languages),
        ctc.name: frozenset(model.manifest_as(manifests.Recognition).scripts),
    }
    recognizers = {printed.name: printed, ctc.name: ctc}
    routes = ROUTES if options.model is not None else routes_for(scripts)  # a model that was named is used
    return Router(
        recognizers, classifier.classify, options.writing, routes, scripts, detect_script, options.second_below
    )


def _handwriting_model(name_or_folder: Path) -> Model:
    """A model that handwriting can be read with.

    Raises
    ------
    ModelError
        It is damaged, or for something else.
    """
    model = open_model(folder_of(name_or_folder))
    if model.task not in ("recognition", ENCODER_DECODER):
        raise ModelError(f"{model.folder}: a model for {model.task!r}, not for handwriting; give another model")
    return model


def _encoder_decoder(options: ReadOptions) -> Model | None:
    """The encoder-decoder that reads all handwriting, whole; None where a CTC network does."""
    model = _handwriting_model(options.model) if options.model is not None else None
    return _whole(model) if model is not None and model.task != "recognition" else None


def _second_model(options: ReadOptions) -> Model | None:
    """The model that gives second opinions, whole; it is opened when the first line needs it."""
    return _whole(_handwriting_model(options.second)) if options.second is not None else None


def _whole(model: Model) -> Model:
    """The model, its networks compared with their digests: a damaged one is refused before any page is read."""
    for key, entry in model.manifest.files.items():
        if entry.role in ("network", "encoder", "decoder", "tokens") and key not in model.left_out():
            model.map_file(key).close()
    return model


def language_for(options: ReadOptions) -> tuple[LanguageModel, str]:
    """Return the language model that handwriting is searched with, and its identity: with the words of the options.

    Raises
    ------
    ModelError
        A model is missing or damaged.
    InputError
        The file of words cannot be read.
    """
    if options.words is not None and options.words.is_dir():
        model = open_model(options.words, "language")
        return load_language(model), model.identity
    shipped = shipped_model(LANGUAGE_MODEL, "language")
    if options.words is None:
        return load_language(shipped), shipped.identity
    text = read_text(options.words)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return load_language(shipped).with_words(words_of_text(text)), f"{shipped.identity}+words@{digest}"


def _late_language(options: ReadOptions) -> tuple[Callable[[], LanguageModel], str]:
    """What opens the language model when the first handwriting is read, and its identity: a printed page needs none."""
    if options.words is not None:
        language, identity = language_for(options)
        return lambda: language, identity
    shipped = shipped_model(LANGUAGE_MODEL, "language")
    for key in shipped.manifest.files:
        shipped.check_size(key)
    return lru_cache(1)(partial(load_language, shipped)), shipped.identity


def load_language(model: Model) -> LanguageModel:
    """Return what a ``language`` model's files hold; they stay where they are."""
    ngrams = parse_ngrams(model.map_file(NGRAMS), model.name)
    words = parse_words(model.map_file(LEXICON), model.name) if LEXICON in model.manifest.files else None
    return LanguageModel(ngrams, words)


def language_of(ngrams: Path | None) -> LanguageModel:
    """Return the language model of an n-gram file alone; without one, the shipped one."""
    return LanguageModel(read_ngrams(ngrams)) if ngrams else shipped_language()


def shipped_language() -> LanguageModel:
    """Return the language model that handwriting is read with."""
    return load_language(shipped_model(LANGUAGE_MODEL, "language"))


def _open_handwriting(
    handwriting: Model, language: Callable[[], LanguageModel | None], selected: Selection, budget: Budget
) -> CtcRecognizer:
    network = open_line_network(
        handwriting, selected.runtime, selected.threads, budget, starts_on_cpu=selected.starts_on_cpu
    )
    return CtcRecognizer(handwriting, network, language())
