"""What holds for all tests."""

from __future__ import annotations

import os

os.environ.setdefault("SOURCE_DATE_EPOCH", "1767225600")  # results of two runs are compared byte for byte
