"""Common parts of all trainings: the optimizer, its learning rate over time, and the average of the weights.

The optimizer steps weight matrices by Muon and everything else by AdamW.

Muon replaces the momentum of a matrix by the nearest orthogonal one, so that all its directions learn alike. After
J. Liu et al., "Muon is Scalable for LLM Training", 2025, doi:10.48550/arXiv.2502.16982, whose scaling by the longer side
makes learning rate and weight decay mean what they mean to AdamW.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

LSTM_GATES = 4
_QUINTIC = (3.4445, -4.7750, 2.0315)
_STEPS = 5


def orthogonalized(matrices: Tensor) -> Tensor:
    """Return nearly the nearest orthogonal matrices to ``(n, rows, columns)``, by a Newton-Schulz iteration in bfloat16."""
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.transpose(1, 2)
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    a, b, c = _QUINTIC
    for _ in range(_STEPS):
        square = x @ x.transpose(1, 2)
        x = a * x + (b * square + c * square @ square) @ x
    return (x if wide else x.transpose(1, 2)).to(matrices.dtype)


class MuonAdamW(torch.optim.Optimizer):
    """Steps the network's matrices by Muon and its other parameters by AdamW, at one learning rate.

    Matrices are the kernels of convolutions but the first, ``(out, in * height * width)``, and the weights of recurrent
    layers, one matrix a gate. Heads, norms and biases take AdamW. Parameters named in ``slower`` learn at ``factor``
    times the rate that `set_rate` sets.
    """

    def __init__(
        self,
        network: nn.Module,
        learning_rate: float,
        weight_decay: float,
        slower: Collection[str] = (),
        factor: float = 1.0,
    ) -> None:
        groups: dict[tuple[bool, float], dict[str, Any]] = {
            (muon, scale): {"params": [], "muon": muon, "scale": scale}
            for scale in (1.0, factor)
            for muon in (True, False)
        }
        for name, p in network.named_parameters():
            inner = p.ndim > 1 and p.shape[1] > 1 and not name.startswith(("head.", "shortcut."))
            groups[inner, factor if name in slower else 1.0]["params"].append(p)
        filled = [group for group in groups.values() if group["params"]]
        super().__init__(filled, {"lr": learning_rate, "weight_decay": weight_decay, "betas": (0.9, 0.98)})
        self.set_rate(learning_rate)

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next steps."""
        for group in self.param_groups:
            group["lr"] = rate * group["scale"]

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step from the gradients at hand."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                p.mul_(1 - group["lr"] * group["weight_decay"])
                change = self._muon(p, p.grad) if group["muon"] else self._adam(p, p.grad, *group["betas"])
                p.add_(change, alpha=-group["lr"])

    def _muon(self, p: Tensor, gradient: Tensor, momentum: float = 0.95) -> Tensor:
        mean = self.state[p].setdefault("momentum", torch.zeros_like(p))
        mean.lerp_(gradient, 1 - momentum)
        gates = LSTM_GATES if p.ndim == 2 else 1
        matrices = gradient.lerp(mean, momentum).reshape(gates, p.shape[0] // gates, -1)
        scale = 0.2 * math.sqrt(max(matrices.shape[1:]))
        return orthogonalized(matrices).reshape(p.shape).mul_(scale)

    def _adam(self, p: Tensor, gradient: Tensor, beta: float, beta_square: float) -> Tensor:
        state = self.state[p]
        if not state:
            state.update(step=torch.zeros(()), mean=torch.zeros_like(p), square=torch.zeros_like(p))
        state["step"] += 1
        state["mean"].lerp_(gradient, 1 - beta)
        state["square"].lerp_(gradient.square(), 1 - beta_square)
        n = float(state["step"])
        deviation = (state["square"] / (1 - beta_square**n)).sqrt_().add_(1e-8)
        return state["mean"].div(deviation).div_(1 - beta**n)


def cosine_rate(highest: float, step: int, warmup_steps: int, progress: float) -> float:
    """Return learning rate at ``step``: rises linearly, then falls by a cosine to almost 0 at ``progress`` 1."""
    return highest * min(1.0, (step + 1) / warmup_steps) * (0.5 + 0.5 * math.cos(math.pi * progress)) + 1e-6


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, step: int, decay: float) -> None:
    """Move the moving ``average`` of the weights towards ``network``; the first steps count more."""
    decay = min(decay, (1 + step) / (20 + step))
    for mean, value in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(value.to(mean.dtype), 1 - decay)
        else:
            mean.copy_(value)
