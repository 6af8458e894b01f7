"""Decoding apart: scans of a file from a confined process, so that what a stranger's bytes do is done to that alone."""

from __future__ import annotations

import logging
import selectors
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import numpy as np

from carrel.budget import Budget, Load, OutOfMemoryLimitError, PageSize
from carrel.errors import CarrelError, InputError, PageTimeoutError
from carrel.formats import FORMATS, WrittenDocument, read_page
from carrel.image.files import open_regular, refusal, shown
from carrel.image.source import Scan
from carrel.options import ReadOptions
from carrel.page import Line, Page, Source
from carrel.process_memory import MIB, resident_bytes
from carrel.system import hands_over_files, lacking
from carrel.workers import decoding
from carrel.workers.channel import Channel
from carrel.workers.launch import Launch, Places, Process, launch_worker
from carrel.workers.messages import MessageError, shown_text

log = logging.getLogger(__name__)

DECODE_TIMEOUT_S = 40.0
"""For opening a file, decoding a page, or writing a document."""
MEASURE_TIMEOUT_S = 10.0
"""For looking at the headers of a file's pages."""
LEAST_BYTES = 64 * MIB
"""What decoding gets in any case beside what Python takes."""
DEEPEST_PX_BYTES = 17
"""Of a pixel in any decoder: JPEG 2000 of four channels, and gray."""
_DECODER_BYTES = 64 * MIB
"""Python with its decoders, resident; 62 MiB, 2026-11."""
_TEXT_BYTES = 1 << 26
_DOCUMENT_BYTES = 1 << 30
_ANSWERS = msgspec.msgpack.Decoder(decoding.Answer)
_Answer = TypeVar("_Answer", decoding.Counted, decoding.Measured, decoding.DecodedPage, decoding.Written)


class Decoder:
    """Scans and documents of files, made in a process of their own; a context manager that ends it.

    Parameters
    ----------
    options
        How pages are read.
    budget
        Memory of the caller and the decoding process together.
    """

    def __init__(
        self,
        options: ReadOptions,
        budget: Budget,
        *,
        timeout_s: float = DECODE_TIMEOUT_S,
        launch: Launch | None = None,
    ) -> None:
        self._options, self._budget, self._timeout_s = options, budget, timeout_s
        self._launch = launch or partial(launch_worker, module="carrel.workers.decoding")
        self._spool = Path(tempfile.mkdtemp(prefix="carrel-"))
        self._process: Process | None = None
        self._channel: Channel | None = None
        self._told = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
        shutil.rmtree(self._spool, ignore_errors=True)

    def count_pages(self, path: Path) -> int:
        """Return the number of pages of a file, without decoding any.

        Raises
        ------
        InputError
            The file cannot be opened, or is not of a known kind.
        """
        return self._ask(path, None, decoding.CountPages(), decoding.Counted)[0].pages

    def largest_page(self, paths: Iterable[Path]) -> PageSize | None:
        """Return the size of the page of all files that takes most memory, by their headers; None where none can be
        read."""
        request = decoding.MeasurePages(self._options.max_megapixels)
        sizes: list[PageSize] = []
        for path in paths:
            with suppress(InputError):
                answer, _ = self._ask(path, None, request, decoding.Measured, MEASURE_TIMEOUT_S)
                sizes.append(PageSize(answer.pixels, answer.bytes_per_px))
        return max((size for size in sizes if size.pixels), key=lambda size: size.needed_bytes, default=None)

    def scan(self, path: Path, page_index: int) -> Scan:
        """Decode one page, counted from 0.

        Raises
        ------
        InputError
            The page cannot be decoded, in time and within the memory.
        """
        budget, options = self._budget, self._options
        load = Load(budget.own_bytes, budget.fixed_bytes, budget.change_bytes)
        request = decoding.DecodePage(
            page_index, options.max_megapixels, options.own_text, budget.limit_bytes, budget.margin_share, load
        )
        answer, pixels = self._ask(path, page_index, request, decoding.DecodedPage)
        if budget.watched:  # a limit that was asked for: what Python takes is needed for reading
            self.close()
        if len(pixels) != answer.width_px * answer.height_px:
            raise refusal(path, page_index, "its decoder sent an unreadable answer", "scan it again")
        gray = np.frombuffer(pixels, np.uint8).reshape(answer.height_px, answer.width_px).copy()
        page = read_page(answer.page)
        return Scan(
            gray, page.dpi, Source(path.name, page_index), page.regions, answer.is_read, shown_text(answer.note)
        )

    def document(self, path: Path, format_name: str, pages: Sequence[Page]) -> WrittenDocument:
        """Write pages of a file as one document of a format that holds the scan.

        Raises
        ------
        InputError
            The file cannot be decoded, or is not the pages'.
        """
        options = self._options
        texts = tuple(FORMATS["json"].write(_with_words_alone(page)) for page in pages)
        request = decoding.WriteDocument(format_name, texts, options.own_text, options.keep_rotation)
        answer, _ = self._ask(path, None, request, decoding.Written, self._timeout_s * max(1, len(pages)))
        return WrittenDocument(answer.data, tuple(shown_text(note) for note in answer.notes))

    def close(self) -> None:
        """End the process; the next task starts another."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
        if self._channel is not None:
            self._channel.close()
        self._process = self._channel = None

    def _ask(
        self,
        path: Path,
        page_index: int | None,
        request: msgspec.Struct,
        kind: type[_Answer],
        timeout_s: float | None = None,
    ) -> tuple[_Answer, bytes]:
        with open_regular(path) as stream:
            if not hands_over_files():
                return self._answered_here(path, request, stream.fileno(), kind)
            try:
                channel = self._started()
                channel.most_bytes = self._most_bytes(kind)
                channel.send(request, stream.fileno())
                answer, pixels = self._heard(channel, timeout_s or self._timeout_s)
            except TimeoutError:
                self.close()
                what = f"took longer than {timeout_s or self._timeout_s:g} s to decode"
                remedy = "scan or save it again, or try again when less is at work"
                raise PageTimeoutError(str(refusal(path, page_index, what, remedy))) from None
            except MessageError:
                reason = "its decoder sent an unreadable answer"
            except (EOFError, OSError):
                reason = f"cannot be decoded within {self._allowance() // MIB:,} MiB of memory"
            else:
                if isinstance(answer, kind):
                    return answer, pixels
                if isinstance(answer, decoding.NotDecoded):
                    raise _refusal(path, answer)
                if isinstance(answer, decoding.Missing):
                    self.close()
                    raise CarrelError(shown_text(answer.message))
                reason = "its decoder sent an answer to something else"
        self.close()
        raise refusal(path, page_index, reason, "scan or save it again, or raise the limit")

    def _answered_here(self, path: Path, request: Any, descriptor: int, kind: type[_Answer]) -> tuple[_Answer, bytes]:
        """Do a task in this process, on systems that hand no file to another."""
        if not self._told:
            log.warning("files are decoded in this process, unconfined: the system lacks %s", lacking())
            self._told = True
        answer, pixels = decoding.answer_of(request, descriptor)
        if isinstance(answer, kind):
            return answer, b"" if pixels is None else pixels.tobytes()
        if isinstance(answer, decoding.NotDecoded):
            raise _refusal(path, answer)
        raise CarrelError(answer.message if isinstance(answer, decoding.Missing) else f"{path}: cannot be decoded")

    def _most_bytes(self, kind: type[_Answer]) -> int:
        if kind is decoding.DecodedPage:
            return int(self._options.max_megapixels * 1.001e6) + _TEXT_BYTES
        return _DOCUMENT_BYTES if kind is decoding.Written else _TEXT_BYTES

    def _allowance(self) -> int:
        """Bytes that decoding may take beside what Python takes: what the budget leaves, and never more than the largest
        page that may be read needs."""
        most = int(DEEPEST_PX_BYTES * self._options.max_megapixels * 1e6) + LEAST_BYTES
        if self._budget.limit_bytes is None:
            return most
        left = self._budget.usable_bytes - resident_bytes() - _DECODER_BYTES
        return max(min(left, most), LEAST_BYTES)

    def _started(self) -> Channel:
        if self._process is not None and self._channel is not None and self._process.poll() is None:
            return self._channel
        self.close()
        try:
            self._process, end = self._launch(Places(self._spool, self._spool), False)
        except OSError as error:
            raise CarrelError(f"no process can be started ({error.strerror}); raise the limits (ulimit -a)") from error
        self._channel = Channel(end)
        self._channel.send(decoding.DecoderLimits((), (str(self._spool),), self._allowance()))
        return self._channel

    def _heard(self, channel: Channel, timeout_s: float) -> tuple[decoding.Answer, bytes]:
        """Wait for the answer, and the pixels that follow one.

        Raises
        ------
        TimeoutError, EOFError, MessageError
            There is none in time, the process has ended, or what came is no answer.
        """
        ends = time.monotonic() + timeout_s
        answer: decoding.Answer | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(channel, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while (left := ends - time.monotonic()) > 0:
                if not channel.pending:
                    selector.modify(channel, selectors.EVENT_READ)
                for _, events in selector.select(left):
                    if events & selectors.EVENT_WRITE:
                        channel.flush()
                    for body in channel.frames() if events & selectors.EVENT_READ else ():
                        if answer is not None:
                            return answer, body
                        answer = _understood(body)
                        if not isinstance(answer, decoding.DecodedPage):
                            return answer, b""
        raise TimeoutError


def _refusal(path: Path, answer: decoding.NotDecoded) -> InputError:
    error = OutOfMemoryLimitError if answer.out_of_memory else InputError
    reason = shown_text(answer.reason)
    return error(f"{shown(path)}{reason}" if reason.startswith((",", ":")) else reason)


def _with_words_alone(page: Page) -> Page:
    """The page without what no document holds: alternatives, and places of single characters."""
    return replace(
        page,
        regions=tuple(
            replace(region, lines=tuple(_without_characters(line) for line in region.lines)) for region in page.regions
        ),
    )


def _without_characters(line: Line) -> Line:
    return replace(line, alternatives=(), words=tuple(replace(word, characters=()) for word in line.words))


def _understood(body: bytes) -> decoding.Answer:
    try:
        return _ANSWERS.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MessageError(str(error)) from error
