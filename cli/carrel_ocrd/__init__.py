"""A processor of OCR-D, ``ocrd-carrel-recognize`` (extra ``[ocrd]``): segments and reads pages, or reads the lines that a workspace has."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> None:
    """Run the processor, as OCR-D calls it."""
    if find_spec("ocrd") is None:
        sys.exit("ocrd-carrel-recognize: needs the extra [ocrd]; install it: pip install 'carrel[ocrd]'")
    from carrel_ocrd.recognize import command

    command()
