"""Image objects of a PDF, in the scan's own color space where it names one."""

from __future__ import annotations

from collections.abc import Sequence

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf
from PIL import Image

_PROFILE_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")
_DEVICES = {1: (Name.DeviceGray, b"GRAY"), 3: (Name.DeviceRGB, b"RGB "), 4: (Name.DeviceCMYK, b"CMYK")}


def image_stream(
    pdf: Pdf,
    data: bytes,
    image: Image.Image,
    filter_name: Name,
    parameters: Dictionary | None = None,
    *,
    depth: int = 8,
    size: tuple[int, int] | None = None,
) -> pikepdf.Stream:
    """Return an image object of ``data``, gray, RGB or CMYK as ``image`` is, of its stored size."""
    stream = pikepdf.Stream(pdf, b"")
    if parameters is None:
        stream.write(data, filter=filter_name)
    else:
        stream.write(data, filter=filter_name, decode_parms=parameters)
    stream[Name.Type], stream[Name.Subtype] = Name.XObject, Name.Image
    stream[Name.Width], stream[Name.Height] = size or image.size
    stream[Name.BitsPerComponent] = depth
    colors = {"RGB": 3, "YCbCr": 3, "CMYK": 4}.get(image.mode, 1)
    stream[Name.ColorSpace] = _DEVICES[colors][0]
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("L", "RGB", "CMYK") and _is_usable(profile, colors):
        embedded = pikepdf.Stream(pdf, profile)
        embedded[Name.N] = colors
        stream[Name.ColorSpace] = Array([Name.ICCBased, pdf.make_indirect(embedded)])
    return stream


def _is_usable(profile: bytes, colors: int) -> bool:
    """Whether PDF/A-2 accepts the profile for so many colors."""
    if len(profile) < 128 or profile[36:40] != b"acsp" or profile[8] not in (2, 4):
        return False
    return profile[12:16] in _PROFILE_CLASSES and profile[16:20] == _DEVICES[colors][1]


def shorter(streams: Sequence[pikepdf.Stream]) -> pikepdf.Stream:
    """Return the one of ``streams`` that takes fewest bytes."""
    return min(streams, key=lambda stream: len(stream.read_raw_bytes()))
