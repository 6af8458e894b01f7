"""Checks of names and docstrings in the rooms listed below.

usage: python scripts/check_names.py [FOLDER...]     default: every room in ROOMS; prints one line a finding

- A public function's docstring begins with a verb in the imperative; that of a module, class or property with a noun.
- Words that the project has a better word for stand in no file name, identifier or docstring.
- A public function or class is defined once in a room.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
ENGINE = tuple(f"engine/carrel/{folder.name}" for folder in sorted((ROOT / "engine/carrel").glob("[a-z]*/")))
ROOMS = (
    "engine/carrel",
    *ENGINE,
    "cli/carrel_cli",
    "cli/carrel_desk",
    "cli/carrel_ocrd",
    "cli/carrel_ocrmypdf",
    "export/carrel_export",
    "bench/carrel_bench",
    "scripts",
)

VERB_TEXT = """
accept add align allow answer append apply arrange ask assemble assign augment average begin bin binarize bind blend
bound build calibrate call carry change check choose claim classify clean clear close collect combine commit compare
compile complete compose compute confine confirm connect convert copy correct count cover create crop cut decide
decode delete deny deskew detect disable discard divide double download draw drop encode end ensure enter escape
estimate evaluate exclude execute expand export extend extract fail fetch fill find finish fit flatten fold follow
forbid forget format forward free freeze generate get give go grant group guess halve hand handle hash hide hold
import index insert inspect install intersect invert join judge keep kill learn leave lend lengthen let limit list
load locate lock log look lower make map mark match measure merge mix move multiply name narrow normalize note number
offer open order overlay pack pad parse pass pick place plan plot point prepare print probe process promise propose
protect publish purge push put quantize queue quote raise rank read rebuild receive recognize record recover reduce
refine refuse release remember remove rename render repeat replace report reset resize resolve restore resume return
review rotate round route run sample save say scale scan score search see segment select send separate serve set
settle shift show shrink shut sign skip smooth sort spell split stack start state stop store straighten strip submit
subtract sum summarize swap synchronize take tell test time tokenize trace track train translate trim try turn unite
unpack unroll update upscale use validate verify wait walk warm warn watch weigh wrap write yield
"""
VERBS = frozenset(VERB_TEXT.split())
NOUN_TEXT = """
answer answers average bin bound build call change changes check checks claim clean clear close compare complete
correct count counts crop crops cut cuts delete draw end ends export fit fold format formats free group groups guess
hand hands hash hold import index judge limit limits list load lock log look lower map maps mark marks match matches
measure measures mix name names note notes number numbers offer open order overlay pack packs pad place places plan
plans plot point points print probe probes process push queue quote record records release report reports result
results return review round route run runs sample samples scale scan scans score scores search set shift show sign
signs sort split stack stacks start state states stop store strip strips sum swap test tests time times trace track
train turn use wait walk watch wrap yield
"""
NOUNS_TOO = frozenset(NOUN_TEXT.split())
"""Words that are nouns as well as verbs."""
CLAUSES = frozenset(("how", "that", "what", "when", "where", "whether", "which", "who", "whose", "why"))

SAY = {
    "bleed-through": r"shows?[ _-]?through|showthrough",
    "deskew, skew": r"levell\w+",
    "flatten": r"whiten\w*",
    "orientation": r"quarters|lies on its side",
    "candidate": r"strands?",
    "second scale": r"closer|farther|(first|second)[ _]looks?|sights?",
    "normalize": r"straighten\w*",
    "ground truth": r"(?<!ground[ _])(?<!ground-)truths?",
    "binarize": r"black and white",
    "refused, skipped, failed": r"put aside|passed over",
    "confident, clear": r"surely|(?<!make[ _])(?<!makes[ _])sure",
    "gate": r"let through",
}
BARRED = {say: re.compile(rf"(?<![a-z])(?:{words})(?![a-z])") for say, words in SAY.items()}
ALLOWED = {
    ("scripts/check_names.py", "check_names"),
}
"""File and the words found there that stay, each for a reason of its own."""
REPEATED_TEXT = (
    "add_options card check command compare findings judge layers main manifest measure numbers_of parse publish quantize "
    "read report runner start summarize train write write_document"
)
WRAPPERS = ("__init__", "__main__")
REPEATED = frozenset(REPEATED_TEXT.split())
"""Names that every format, suite or command of a room may have: which one it is says its module."""


class Finding(NamedTuple):
    """One fault: file, line number from 1, and what is wrong."""

    file: Path
    line: int
    message: str


def first_word(docstring: str) -> str:
    """Return the first word of a docstring in lower case, without signs."""
    match = re.match(r"[^A-Za-z]*([A-Za-z]+)", docstring)
    return match[1].lower() if match else ""


def docstrings(tree: ast.Module) -> Iterator[tuple[ast.Module | ast.ClassDef | ast.FunctionDef, str, bool]]:
    """Yield every public node with a docstring, the docstring, and whether a verb is due."""
    if text := ast.get_docstring(tree):
        yield tree, text, False
    for parent in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
        for node in parent.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                text = ast.get_docstring(node) or ""
                yield from [(node, text, _is_function(node))] if text else []


def _is_function(node: ast.ClassDef | ast.FunctionDef) -> bool:
    named = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return isinstance(node, ast.FunctionDef) and not named & {"property", "cached_property", "setter"}


def beginnings(file: Path, tree: ast.Module) -> Iterator[Finding]:
    """Yield the docstrings that begin with the wrong part of speech."""
    for node, text, verb_due in docstrings(tree):
        word, line = first_word(text), getattr(node, "lineno", 1)
        name = getattr(node, "name", "the module")
        third = word.removesuffix("s") in VERBS or word.removesuffix("es") in VERBS
        if verb_due and word not in VERBS:
            yield Finding(file, line, f"{name}: the docstring begins with {word!r}, not with a verb in the imperative")
        elif not verb_due and word not in NOUNS_TOO and (word in VERBS | CLAUSES or third):
            yield Finding(file, line, f"{name}: the docstring begins with {word!r}, not with a noun")


def texts(file: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line number and text of the file's name, its identifiers and its docstrings."""
    yield 1, file.stem
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 1)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield line, ast.get_docstring(node) or ""
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield line, node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield line, node.id
        elif isinstance(node, ast.arg):
            yield line, node.arg
    for before, node in pairwise(tree.body):
        if isinstance(before, ast.Assign | ast.AnnAssign) and isinstance(node, ast.Expr):
            yield node.lineno, ast.unparse(node)  # the docstring of a constant


def words(file: Path, tree: ast.Module, root: Path) -> Iterator[Finding]:
    """Yield the words that the glossary bars."""
    path = str(file.relative_to(root))
    for line, text in texts(file, tree):
        plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).lower()
        for say, pattern in BARRED.items():
            for match in pattern.finditer(" ".join(plain.split())):
                if (path, match[0]) not in ALLOWED:
                    yield Finding(file, line, f"{match[0]!r}: say {say}")


def defined(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line number and name of every public function and class of a module."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names = [node.name]
            yield from ((node.lineno, name) for name in names if not name.startswith("_"))


def repetitions(trees: dict[Path, ast.Module]) -> Iterator[Finding]:
    """Yield the public names that several modules of one room define; ``__init__`` and ``__main__`` may wrap others."""
    seen: dict[str, Path] = {}
    for file, tree in trees.items():
        for line, name in defined(tree) if file.stem not in WRAPPERS else ():
            if name not in REPEATED and seen.setdefault(name, file) != file:
                yield Finding(file, line, f"{name} is defined in {seen[name]} too")


def check_room(folder: Path, root: Path) -> list[Finding]:
    """Return what is wrong in the modules of a folder and its subfolders; those of the engine are rooms of their own."""
    files = folder.glob("*.py") if folder == ROOT / "engine/carrel" else folder.rglob("*.py")
    trees = {file: ast.parse(file.read_text("utf-8")) for file in sorted(files)}
    found = list(repetitions(trees))
    for file, tree in trees.items():
        found += [*beginnings(file, tree), *words(file, tree, root)]
    return sorted(set(found))


def main(arguments: list[str]) -> int:
    """Print what is wrong, and return 1 where something is."""
    rooms = [Path(name).resolve() for name in arguments] or [ROOT / name for name in ROOMS]
    found = [finding for room in rooms for finding in check_room(room, ROOT)]
    for file, line, message in found:
        print(f"{file.relative_to(ROOT)}:{line}: {message}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
