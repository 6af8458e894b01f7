"""Several processes that train one network, each on its share of the batches; gradients are averaged.

``torchrun --nproc-per-node N`` starts them. Without it there is one process, and nothing here does anything.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor, distributed, nn


class Processes:
    """The processes of a run: how many there are, and the place of this one among them (0: the one that saves)."""

    def __init__(self) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if self.count > 1 and not distributed.is_initialized():
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        if self.count > 1 and torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))

    def average(self, network: nn.Module, numbers: Sequence[float]) -> list[float]:
        """Replace the gradients by their mean over the processes; the means of ``numbers`` likewise."""
        if self.count == 1:
            return list(numbers)
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        flat = torch.cat([*(g.flatten() for g in gradients), torch.tensor(numbers, device=gradients[0].device)])
        distributed.all_reduce(flat)
        flat /= self.count
        parts: Sequence[Tensor] = flat.split([*(g.numel() for g in gradients), len(numbers)])
        for gradient, mean in zip(gradients, parts, strict=False):
            gradient.copy_(mean.view_as(gradient))
        return parts[-1].tolist()
