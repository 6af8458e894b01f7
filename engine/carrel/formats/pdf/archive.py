"""PDF/A-2b where a document can be that without losing anything, and a word where it cannot."""

from __future__ import annotations

import io
import struct

import pikepdf
from pikepdf import Name, Pdf, pdfa

from carrel.errors import InputError
from carrel.formats import WrittenDocument
from carrel.formats.pdf.jpx_image import is_archivable

_FLAVOUR = "2b"
_JPX_UNCHECKED = "JPEG 2000 images are not supported"
_PROFILE_DATE = slice(24, 36)


def archived(pdf: Pdf, changed: str) -> WrittenDocument:
    """Return ``pdf``, changed at a time in ISO 8601, as PDF/A-2b, checked, or as it is with the reason."""
    buffer = io.BytesIO()
    try:
        pdf.save(buffer, object_stream_mode=pikepdf.ObjectStreamMode.generate, deterministic_id=True, encryption=False)
        with pikepdf.open(io.BytesIO(buffer.getvalue())) as copy:
            data, reason = _as_pdfa(copy, changed)
    except (pikepdf.PdfError, RuntimeError) as error:  # what cannot be decoded cannot be copied either
        raise InputError(f"the PDF is damaged ({error}); save or scan it again") from error
    if data is not None:
        return WrittenDocument(data)
    return WrittenDocument(buffer.getvalue(), (f"plain PDF, not PDF/A: {reason}",))


def _as_pdfa(pdf: Pdf, changed: str) -> tuple[bytes | None, str]:
    """The bytes of ``pdf`` as PDF/A-2b, or None and why it is none; ``pdf`` is changed."""
    try:
        if Name.OutputIntents in pdf.Root:
            done = pdfa.prepare(pdf, _FLAVOUR, output_intent=None)
        else:
            done = pdfa.prepare(pdf, _FLAVOUR, output_intent=_srgb(), output_condition_identifier="sRGB")
        lost = _losses(done)
    except (ValueError, pikepdf.PdfError) as error:
        return None, str(error)
    if lost:
        return None, lost
    with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as metadata:
        metadata["xmp:MetadataDate"] = changed
    buffer = io.BytesIO()
    settings = pdfa.resolve_save_kwargs(pdfa.Flavour(_FLAVOUR), deterministic_id=True)
    pdf.save(buffer, **settings)
    report = pdfa.validate_written(buffer, _FLAVOUR, settings)
    findings = [finding.message for finding in report.findings if not _is_sound_jpx(pdf, finding.message)]
    return (None, findings[0]) if findings else (buffer.getvalue(), "")


def _is_sound_jpx(pdf: Pdf, finding: str) -> bool:
    """Whether ``finding`` is that the validator leaves JPEG 2000 unchecked, and all of it is as PDF/A-2 asks."""
    if _JPX_UNCHECKED not in finding:
        return False
    streams = [item for item in pdf.objects if isinstance(item, pikepdf.Stream)]
    return all(is_archivable(item.read_raw_bytes()) for item in streams if item.get(Name.Filter) == Name.JPXDecode)


def _srgb() -> bytes:
    """sRGB as a profile of 588 bytes, the same each time."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_PROFILE_DATE] = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)
    return bytes(profile)


def _losses(done: pdfa.PrepareResult) -> str:
    """What PDF/A would take from the document, "" for nothing."""
    losses = {
        "it would lose hidden annotations": done.annotations_removed,
        "its annotations would be printed": done.print_flags_set,
        "it would lose its scripts": done.document_javascript_removed,
        "it would lose its alternate presentations": done.alternate_presentations_removed,
        "it would lose metadata": done.xmp_dropped or done.xmp_unreadable,
    }
    return next((reason for reason, lost in losses.items() if lost), "")
