"""Small PP-OCRv6 networks with random weights as kraken 7.1 writes them, and their outputs computed the long way.

The long way keeps every branch and norm of training, and the three channels of the line.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LETTERS = "abcdefghijklmnopqrstuvwxyz .,"
CHANNELS, NECK = 8, 16
MODEL = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"


class Drawn(dict[str, Any]):
    """Random tensors by name."""

    def __init__(self, seed: int) -> None:
        import torch  # pyright: ignore[reportMissingImports]

        super().__init__()
        self._random = torch.Generator().manual_seed(seed)

    def weights(self, name: str, *shape: int, bias: bool = False) -> None:
        """Add a layer's weights."""
        import torch  # pyright: ignore[reportMissingImports]

        inputs = max(1, int(torch.tensor(shape[1:]).prod()))
        self[f"{name}.weight"] = torch.randn(shape, generator=self._random) / inputs**0.5
        if bias:
            self[f"{name}.bias"] = 0.1 * torch.randn(shape[0], generator=self._random)

    def norm(self, name: str, channels: int, *, batch: bool = True) -> None:
        """Add a norm."""
        import torch  # pyright: ignore[reportMissingImports]

        self[f"{name}.weight"] = 0.5 + torch.rand(channels, generator=self._random)
        self[f"{name}.bias"] = 0.1 * torch.randn(channels, generator=self._random)
        if batch:
            self[f"{name}.running_mean"] = 0.1 * torch.randn(channels, generator=self._random)
            self[f"{name}.running_var"] = 0.5 + torch.rand(channels, generator=self._random)
            self[f"{name}.num_batches_tracked"] = torch.tensor(3)

    def convolved(self, name: str, *shape: int) -> None:
        """Add a convolution and the norm behind it."""
        self.weights(f"{name}.conv", *shape)
        self.norm(f"{name}.bn", shape[0])


def draw_network(*, branches: bool, classes: int, seed: int = 5) -> Drawn:
    """Return tensors of a network: with the branched stem and the neck of the larger sizes, or those of the smallest."""
    c, drawn = CHANNELS, Drawn(seed)
    if branches:
        for part, shape in {
            "stem1": (c, 3, 3, 3),
            "stem2a": (c // 2, c, 2, 2),
            "stem2b": (c, c // 2, 2, 2),
            "stem3": (c, 2 * c, 3, 3),
            "stem4": (c, c, 1, 1),
        }.items():
            drawn.convolved(f"backbone.conv1.{part}", *shape)
    else:
        drawn.convolved("backbone.conv1.conv1", c, 3, 3, 3)
        drawn.convolved("backbone.conv1.conv2", c, c, 3, 3)
    for stage in ("blocks2", "blocks3", "blocks4", "blocks5"):
        for k in range(1 if stage in ("blocks2", "blocks3") else 2):
            at = f"backbone.{stage}.{k}"
            if k == 0 and stage in ("blocks4", "blocks5"):
                drawn.convolved(f"{at}.token_mixer.dw_conv", c, 1, 3, 3)
            else:
                drawn.convolved(f"{at}.token_mixer.rep_dw.conv", c, 1, 3, 3)
                drawn.weights(f"{at}.token_mixer.rep_dw.conv1", c, 1, 1, 1)
                drawn.norm(f"{at}.token_mixer.rep_dw.bn", c)
                drawn.weights(f"{at}.token_mixer.se.conv1", c // 4, c, 1, 1, bias=True)
                drawn.weights(f"{at}.token_mixer.se.conv2", c, c // 4, 1, 1, bias=True)
            drawn.convolved(f"{at}.channel_mixer.expand", 2 * c, c, 1, 1)
            drawn.convolved(f"{at}.channel_mixer.compress", c, 2 * c, 1, 1)
    _draw_end(drawn, classes, branches=branches)
    return drawn


def _draw_end(drawn: Drawn, classes: int, *, branches: bool) -> None:
    c, d = CHANNELS, NECK
    if not branches:
        drawn.weights("head.guide_layer.block.0", c, 1, 5)
        drawn.norm("head.guide_layer.block.1", c)
        drawn.weights("head.guide_layer.block.3", c, c, 1)
        drawn.norm("head.guide_layer.block.4", c)
        drawn.weights("head.fc1", 12, c, bias=True)
        drawn.weights("head.fc2", classes, 12, bias=True)
        return
    for part in ("conv_reduce", "skip_conv"):
        drawn.weights(f"neck.{part}.conv", d, c, 1, 1)
        drawn.norm(f"neck.{part}.norm", d)
    drawn.weights("neck.local_conv.0", d, 1, 1, 7)
    drawn.norm("neck.local_conv.1", d)
    for k in range(2):
        at = f"neck.svtr_block.{k}"
        for norm in ("norm1", "norm2"):
            drawn.norm(f"{at}.{norm}", d, batch=False)
        for part, shape in {
            "mixer.qkv": (3 * d, d),
            "mixer.proj": (d, d),
            "mlp.fc1": (32, d),
            "mlp.fc2": (d, 32),
        }.items():
            drawn.weights(f"{at}.{part}", *shape, bias=True)
    drawn.norm("neck.norm", d, batch=False)
    drawn.weights("head.fc", classes, d, bias=True)


def write_kraken(file: Path, tensors: Any, **metadata: Any) -> Path:
    """Write the tensors as kraken does; ``metadata`` replaces what it says of the model."""
    from safetensors.torch import save_file  # pyright: ignore[reportMissingImports]

    facts = {
        "_kraken_min_version": "7.1.0",
        "_tasks": ["recognition"],
        "_model": "PPOCRv6Model",
        "variant": "tiny",
        "height": 48,
        "codec": {letter: [label] for label, letter in enumerate(LETTERS, start=1)},
        "seg_type": "baselines",
        "one_channel_mode": "L",
        **metadata,
    }
    named = {f"{MODEL}.nn.{name}": tensor for name, tensor in tensors.items()}
    save_file(named, str(file), metadata={"kraken_meta": json.dumps({MODEL: facts})})
    return file


def logits_of(tensors: Any, ink: Any) -> Any:
    """Return logits ``(n, t, classes)`` of lines ``(n, 1, h, w)``, paper 0."""
    import torch  # pyright: ignore[reportMissingImports]
    from torch.nn import functional as f  # pyright: ignore[reportMissingImports]

    def conv(x: Any, name: str, *, stride: Any = 1, padding: Any = 0) -> Any:
        weight = tensors[f"{name}.weight"]
        groups = weight.shape[0] if weight.shape[1] == 1 else 1
        function = f.conv1d if weight.dim() == 3 else f.conv2d
        return function(x, weight, tensors.get(f"{name}.bias"), stride, padding, groups=groups)

    def norm(x: Any, name: str) -> Any:
        parts = (tensors[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return f.batch_norm(x, *parts)

    def linear(x: Any, name: str) -> Any:
        return f.linear(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    def layer_norm(x: Any, name: str, epsilon: float = 1e-5) -> Any:
        return f.layer_norm(x, x.shape[-1:], tensors[f"{name}.weight"], tensors[f"{name}.bias"], epsilon)

    def both(x: Any, name: str, **more: Any) -> Any:
        return norm(conv(x, f"{name}.conv", **more), f"{name}.bn")

    x, at = ink.expand(-1, 3, -1, -1), "backbone.conv1"
    if f"{at}.stem1.conv.weight" in tensors:
        x = both(x, f"{at}.stem1", stride=2, padding=1).relu()
        other = both(f.pad(x, (0, 1, 0, 1)), f"{at}.stem2a").relu()
        other = both(f.pad(other, (0, 1, 0, 1)), f"{at}.stem2b").relu()
        x = torch.cat((f.max_pool2d(f.pad(x, (0, 1, 0, 1), value=-torch.inf), 2, 1), other), 1)
        x = both(both(x, f"{at}.stem3", stride=2, padding=1).relu(), f"{at}.stem4").relu()
    else:
        x = both(f.gelu(both(x, f"{at}.conv1", stride=2, padding=1)), f"{at}.conv2", stride=2, padding=1)
    for stage in ("blocks2", "blocks3", "blocks4", "blocks5"):
        for k in range(1 if stage in ("blocks2", "blocks3") else 2):
            at = f"backbone.{stage}.{k}"
            mixer, rep = f"{at}.channel_mixer", f"{at}.token_mixer.rep_dw"
            whole = f"{rep}.bn.weight" in tensors
            if whole:
                x = norm(both(x, f"{rep}.conv", padding=1) + conv(x, f"{rep}.conv1") + x, f"{rep}.bn")
                squeezed = conv(x.mean((2, 3), keepdim=True), f"{at}.token_mixer.se.conv1").relu()
                x = x * f.hardsigmoid(conv(squeezed, f"{at}.token_mixer.se.conv2"))
            else:
                x = both(x, f"{at}.token_mixer.dw_conv", stride=(2, 1), padding=1)
            mixed = both(f.gelu(both(x, f"{mixer}.expand")), f"{mixer}.compress")
            x = x + mixed if whole else mixed
    x = f.avg_pool2d(x, (x.shape[2], 2))
    if "head.fc.weight" not in tensors:
        x = x.squeeze(2)
        for number, padding in ((0, 2), (3, 0)):
            at = f"head.guide_layer.block.{number}"
            x = f.hardswish(norm(conv(x, at, padding=padding), f"head.guide_layer.block.{number + 1}"))
        return linear(linear(x.transpose(1, 2), "head.fc1"), "head.fc2")
    skip, z = (f.silu(norm(conv(x, f"neck.{p}.conv"), f"neck.{p}.norm")) for p in ("skip_conv", "conv_reduce"))
    z = z + f.silu(norm(conv(z, "neck.local_conv.0", padding=(0, 3)), "neck.local_conv.1"))
    z = z.squeeze(2).transpose(1, 2)
    for k in range(2):
        at = f"neck.svtr_block.{k}"
        query, key, value = linear(layer_norm(z, f"{at}.norm1"), f"{at}.mixer.qkv").chunk(3, -1)
        parts = [part.unflatten(-1, (8, -1)).transpose(1, 2) for part in (query, key, value)]
        seen = f.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2)
        z = z + linear(seen, f"{at}.mixer.proj")
        z = z + linear(f.silu(linear(layer_norm(z, f"{at}.norm2"), f"{at}.mlp.fc1")), f"{at}.mlp.fc2")
    return linear(layer_norm(z, "neck.norm", 1e-6) + skip.squeeze(2).transpose(1, 2), "head.fc")
