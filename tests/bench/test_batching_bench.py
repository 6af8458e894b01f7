"""The bench of batches runs, and lines in fp32 read the same in company."""

from __future__ import annotations

import pytest

from carrel_bench.batching import BATCHES, main


def test_each_precision_and_batch_has_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--rounds", "1"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [(row[0], int(row[1])) for row in rows] == [(p, batch) for p in ("int8", "fp32") for batch in BATCHES]
    differences = {(row[0], int(row[1])): float(row[4]) for row in rows}
    assert differences["int8", 1] == differences["fp32", 1] == 0
    assert differences["fp32", 8] < 0.001 < differences["int8", 8]
