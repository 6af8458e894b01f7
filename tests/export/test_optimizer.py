"""The optimizer: orthogonal steps for matrices, AdamW's for the rest."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the export extra (torch) is not installed")

from carrel_export.handwriting.network import Crnn  # noqa: E402
from carrel_export.handwriting.sizes import CrnnConfig  # noqa: E402
from carrel_export.optimizer import MuonAdamW, orthogonalized  # noqa: E402


@pytest.mark.parametrize("shape", [(3, 8, 40), (2, 40, 8), (1, 16, 16)])
def test_all_directions_of_a_step_are_about_as_long(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(1)
    matrices = torch.randn(shape) * torch.logspace(-1, 0, shape[2])
    values = torch.linalg.svdvals(orthogonalized(matrices))
    assert 0.4 < values.min() < values.max() < 1.3


def test_parameters_that_are_no_inner_matrices_step_as_adamw() -> None:
    torch.manual_seed(2)
    network = Crnn(CrnnConfig(classes=5, channels=(4, 4, 4), blocks=(1, 1), hidden=4))
    twin = Crnn(network.config)
    twin.load_state_dict(network.state_dict())
    ours = MuonAdamW(network, 1e-2, 0.1)
    adamw = torch.optim.AdamW(twin.parameters(), 1e-2, betas=(0.9, 0.98), weight_decay=0.1)
    for _ in range(3):
        for p, q in zip(network.parameters(), twin.parameters(), strict=True):
            gradient = torch.randn_like(p)
            p.grad, q.grad = gradient, gradient.clone()
        ours.step()
        adamw.step()
    same = {n for (n, p), q in zip(network.named_parameters(), twin.parameters(), strict=True) if torch.allclose(p, q)}
    matrices = {n for n, _ in network.named_parameters()} - same
    assert {"head.weight", "features.0.0.weight", "collapse_norm.weight", "recurrent.0.bias_ih_l0"} <= same
    assert {"collapse.weight", "recurrent.0.weight_hh_l0", "features.1.0.weight"} <= matrices
    assert not any(n.startswith(("head", "shortcut")) or "bias" in n for n in matrices)


def test_a_bowl_is_descended() -> None:
    layer = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Linear(6, 6))
    optimizer = MuonAdamW(layer, 2e-2, 0.0)
    x = torch.eye(6)
    target = torch.flip(x, (0,))
    for _ in range(300):
        layer.zero_grad()
        ((layer(x) - target) ** 2).mean().backward()
        optimizer.step()
    assert ((layer(x) - target) ** 2).mean().item() < 1e-2


def test_named_parameters_learn_slower() -> None:
    layer = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Linear(6, 6))
    before = {name: p.detach().clone() for name, p in layer.named_parameters()}
    optimizer = MuonAdamW(layer, 1e-2, 0.0, slower=["0.weight", "0.bias"], factor=0.25)
    optimizer.set_rate(2e-2)
    for p in layer.parameters():
        p.grad = torch.ones_like(p) + torch.eye(6)[: p.shape[0]] if p.ndim > 1 else torch.ones_like(p)
    optimizer.step()
    moved = {name: (p - before[name]).norm().item() for name, p in layer.named_parameters()}
    assert moved["0.weight"] == pytest.approx(moved["1.weight"] / 4, rel=1e-3)
    assert moved["0.bias"] == pytest.approx(moved["1.bias"] / 4, rel=1e-3)
