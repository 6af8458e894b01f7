"""Runtimes imported with nothing to report: telemetry is off before their first session, whoever imported them first.

onnxruntime 1.32 starts to report when it is imported, unless a variable is set by then. Afterwards neither that variable
nor ``disable_telemetry_events`` keeps it from opening sockets: it was watched under strace for 25 s each way. OpenVINO
2026.4 reports through a package of its own when it is imported, and then nothing until models are converted.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

from carrel.errors import ModelError, UsageError

SWITCH = "ORT_DISABLE_TELEMETRY"
_OPENVINO_TELEMETRY = "openvino_telemetry"


def silence_onnxruntime() -> bool:
    """Set what keeps onnxruntime from reporting; return False where it was imported before that was set."""
    if "onnxruntime" not in sys.modules:
        os.environ[SWITCH] = "1"
    return os.environ.get(SWITCH) == "1"


def import_onnxruntime() -> Any:
    """Return onnxruntime, which reports to nobody.

    Raises
    ------
    UsageError
        It was imported before, and reports.
    """
    if not silence_onnxruntime():
        raise UsageError(
            "onnxruntime was imported before carrel and reports to its maker, which cannot be stopped any more;"
            f" import carrel first, or set {SWITCH}=1 before the program starts"
        )
    import onnxruntime

    return onnxruntime


def import_openvino() -> Any:
    """Return OpenVINO, without the package that reports for it, or with that package's consent taken back.

    Raises
    ------
    ModelError
        OpenVINO is not installed.
    """
    reporting = sys.modules.get(_OPENVINO_TELEMETRY)
    blocked = _OPENVINO_TELEMETRY not in sys.modules
    if reporting is not None:  # imported by somebody else: what was sent is sent
        with suppress(RuntimeError, AttributeError):  # RuntimeError: it has not begun to report
            reporting.Telemetry().consent = False
    if blocked:
        sys.modules[_OPENVINO_TELEMETRY] = None  # type: ignore[assignment]  an import of it fails, and OpenVINO does without
    try:
        import openvino  # pyright: ignore[reportMissingImports]  an extra
    except ImportError:
        raise ModelError("OpenVINO is not installed; pip install 'carrel[openvino]', or choose --device cpu") from None
    finally:
        if blocked:
            del sys.modules[_OPENVINO_TELEMETRY]
    return openvino
