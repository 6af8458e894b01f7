"""CTC decoding: logits of a line to class indices with places and probabilities.

`greedy` needs numpy alone. `carrel.decode.beam` loads compiled kernels when it is first used.
"""

from carrel.decode.greedy import greedy, greedy_lines
from carrel.decode.types import Decoded

__all__ = ["Decoded", "greedy", "greedy_lines"]
