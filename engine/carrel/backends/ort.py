"""Networks on onnxruntime, CPU.

One thread a call and as many callers as there are cores: on two cores that gave 1.5 times the lines per second of
onnxruntime's own two threads, and a result does not depend on the number of threads.
"""

from __future__ import annotations

import os
from typing import cast

import numpy as np
from numpy.typing import NDArray

from carrel.errors import ModelError


class OrtBackend:
    """An ONNX model in memory.

    Parameters
    ----------
    contents
        The bytes of a verified ONNX file.
    name
        What to call the model in messages.

    Raises
    ------
    ModelError
        onnxruntime refuses the model.
    """

    def __init__(self, contents: bytes, name: str) -> None:
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(contents, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions share no public base class
            reason = str(error).splitlines()[0]
            raise ModelError(f"model {name}: onnxruntime cannot load it ({reason}); install the model again") from None
        self._input = self._session.get_inputs()[0].name

    def run(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        return cast(NDArray[np.float32], self._session.run(None, {self._input: array})[0])
