"""PP-OCRv6 networks of kraken 7.1 (``.safetensors``), built anew from their tensors; kraken need not be installed.

The network is that of PaddleOCR (PPLCNetV4, and SVTR blocks as the neck: doi:10.24963/ijcai.2022/124): a stem with stride 4,
depthwise and pointwise blocks, the mean over the height, pairs of columns joined. Branches that a trained network does not
need are folded into one convolution each (RepVGG, doi:10.1109/CVPR46437.2021.01352), batch norms into their convolutions,
and the three equal channels of a gray line into one.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

NORM_EPSILON, LAST_EPSILON = 1e-5, 1e-6
HEADS = 8
STAGES = {"blocks2": (1, 1), "blocks3": (1, 1), "blocks4": (2, 1), "blocks5": (2, 1)}
"""The stages, and the stride of the first block of each."""


class Tensors:
    """The tensors of a file by name; what is missing, and what nobody took, is noted."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}
        self._taken: set[str] = set()

    def has(self, prefix: str) -> bool:
        """Tell whether any tensor is named so, or begins with it and a dot."""
        return any(name == prefix or name.startswith(f"{prefix}.") for name in self._tensors)

    def take(self, *names: str) -> list[Tensor] | None:
        """Return these tensors as float32; None where one is missing."""
        self._taken.update(names)
        if not all(name in self._tensors for name in names):
            return None
        return [self._tensors[name].float() for name in names]

    def problems(self) -> list[str]:
        """Return what is missing, what is not known, and what holds values that are no numbers."""
        missing, unknown = sorted(self._taken - set(self._tensors)), sorted(set(self._tensors) - self._taken)
        odd = [name for name, tensor in self._tensors.items() if not bool(torch.isfinite(tensor).all())]
        return [
            *(f"lacks the tensor {name}" for name in missing),
            *(f"holds a tensor of no known layer, {name}" for name in unknown),
            *(f"holds values that are no numbers, in {name}" for name in odd),
        ]


def convolution(
    tensors: Tensors,
    name: str,
    norm: str,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] | None = None,
    *,
    weights: str = ".conv.weight",
) -> nn.Module:
    """Return a convolution with the batch norm behind it folded in; it pads to the same size where nothing else is said."""
    found = tensors.take(f"{name}{weights}", *_norm_names(norm))
    if found is None:
        return nn.Identity()
    kernel, bias = _folded(found[0], torch.zeros(found[0].shape[0]), found[1:])
    return _layer(kernel, bias, stride, padding)


def _norm_names(name: str) -> list[str]:
    return [f"{name}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]


def _folded(kernel: Tensor, bias: Tensor, norm: list[Tensor]) -> tuple[Tensor, Tensor]:
    gain, shift, mean, variance = norm
    scale = gain / torch.sqrt(variance + NORM_EPSILON)
    return kernel * scale.reshape(-1, *(1,) * (kernel.dim() - 1)), shift + (bias - mean) * scale


def _layer(kernel: Tensor, bias: Tensor, stride: tuple[int, int], padding: tuple[int, int] | None) -> nn.Module:
    outputs, inputs, *size = kernel.shape
    groups = outputs if inputs == 1 and outputs > 1 else 1
    around = padding if padding is not None else tuple((k - 1) // 2 for k in size)
    if len(size) == 1:
        layer: nn.Module = nn.Conv1d(inputs * groups, outputs, size[0], 1, around[0], groups=groups)
    else:
        layer = nn.Conv2d(inputs * groups, outputs, (size[0], size[1]), stride, (around[0], around[1]), groups=groups)
    layer.load_state_dict({"weight": kernel, "bias": bias})
    return layer


def _plain(tensors: Tensors, name: str) -> nn.Module:
    """A convolution with a bias and without a norm."""
    found = tensors.take(f"{name}.weight", f"{name}.bias")
    return _layer(found[0], found[1], (1, 1), None) if found else nn.Identity()


def _linear(tensors: Tensors, name: str) -> nn.Module:
    found = tensors.take(f"{name}.weight", f"{name}.bias")
    if found is None or found[0].dim() != 2:
        return nn.Identity()
    layer = nn.Linear(found[0].shape[1], found[0].shape[0])
    layer.load_state_dict({"weight": found[0], "bias": found[1]})
    return layer


def _layer_norm(tensors: Tensors, name: str, epsilon: float = NORM_EPSILON) -> nn.Module:
    found = tensors.take(f"{name}.weight", f"{name}.bias")
    if found is None:
        return nn.Identity()
    layer = nn.LayerNorm(len(found[0]), eps=epsilon)
    layer.load_state_dict({"weight": found[0], "bias": found[1]})
    return layer


def _depthwise(tensors: Tensors, name: str, stride: tuple[int, int]) -> nn.Module:
    """A depthwise convolution; of one in training form, its three branches in one."""
    if not tensors.has(f"{name}.rep_dw"):
        return convolution(tensors, f"{name}.dw_conv", f"{name}.dw_conv.bn", stride)
    at = f"{name}.rep_dw"
    found = tensors.take(
        f"{at}.conv.conv.weight", *_norm_names(f"{at}.conv.bn"), f"{at}.conv1.weight", *_norm_names(f"{at}.bn")
    )
    if found is None:
        return nn.Identity()
    kernel, bias = _folded(found[0], torch.zeros(found[0].shape[0]), found[1:5])
    middle = kernel.shape[2] // 2
    kernel[:, :, middle, middle] += found[5][:, :, 0, 0] + 1
    return _layer(*_folded(kernel, bias, found[6:]), stride, None)


class MixingBlock(nn.Module):
    """Mixing along the line, then of channels: ``(n, c, h, w)`` to the same or, with a stride, to fewer rows."""

    def __init__(self, tensors: Tensors, name: str, stride: tuple[int, int]) -> None:
        super().__init__()
        self.has_residual = tensors.has(f"{name}.token_mixer.rep_dw")
        self.depthwise = _depthwise(tensors, f"{name}.token_mixer", stride)
        self.squeeze: nn.Module | None = None
        if tensors.has(f"{name}.token_mixer.se"):
            at = f"{name}.token_mixer.se"
            self.squeeze = nn.Sequential(
                _plain(tensors, f"{at}.conv1"), nn.ReLU(), _plain(tensors, f"{at}.conv2"), nn.Hardsigmoid()
            )
        mixer = f"{name}.channel_mixer"
        self.mixer = nn.Sequential(
            convolution(tensors, f"{mixer}.expand", f"{mixer}.expand.bn"),
            nn.GELU(),
            convolution(tensors, f"{mixer}.compress", f"{mixer}.compress.bn"),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.depthwise(x)
        if self.squeeze is not None:
            x = x * self.squeeze(x.mean((2, 3), keepdim=True))
        return x + self.mixer(x) if self.has_residual else self.mixer(x)


class Stem(nn.Module):
    """Lines ``(n, 1, h, w)`` -> ``(n, c, h / 4, w / 4)``: two convolutions, or two branches between two."""

    def __init__(self, tensors: Tensors, name: str) -> None:
        super().__init__()
        self.branches = tensors.has(f"{name}.stem1")
        parts = ("stem1", "stem2a", "stem2b", "stem3", "stem4") if self.branches else ("conv1", "conv2")
        strides = {"stem1": (2, 2), "stem3": (2, 2), "conv1": (2, 2), "conv2": (2, 2)}
        none = {"stem2a": (0, 0), "stem2b": (0, 0)}
        self.layers = nn.ModuleDict(
            {
                part: convolution(
                    tensors, f"{name}.{part}", f"{name}.{part}.bn", strides.get(part, (1, 1)), none.get(part)
                )
                for part in parts
            }
        )
        first = self.layers[parts[0]]
        if isinstance(first, nn.Conv2d):
            first.weight = nn.Parameter(first.weight.sum(1, keepdim=True))

    def forward(self, x: Tensor) -> Tensor:
        of = self.layers
        if not self.branches:
            return of["conv2"](functional.gelu(of["conv1"](x)))
        x = of["stem1"](x).relu()
        other = of["stem2a"](functional.pad(x, (0, 1, 0, 1))).relu()
        other = of["stem2b"](functional.pad(other, (0, 1, 0, 1))).relu()
        pooled = functional.max_pool2d(functional.pad(x, (0, 1, 0, 1)), 2, 1)  # after a ReLU, 0 never wins
        return of["stem4"](of["stem3"](torch.cat((pooled, other), 1)).relu()).relu()


class Attention(nn.Module):
    """A block of a transformer over the frames of a line, ``(n, t, c)``, norms first."""

    def __init__(self, tensors: Tensors, name: str) -> None:
        super().__init__()
        self.norm1, self.norm2 = (_layer_norm(tensors, f"{name}.{norm}") for norm in ("norm1", "norm2"))
        self.qkv, self.project = (_linear(tensors, f"{name}.mixer.{part}") for part in ("qkv", "proj"))
        self.fc1, self.fc2 = (_linear(tensors, f"{name}.mlp.{part}") for part in ("fc1", "fc2"))

    def forward(self, x: Tensor) -> Tensor:
        n, t, c = x.shape
        query, key, value = self.qkv(self.norm1(x)).reshape(n, t, 3, HEADS, c // HEADS).permute(2, 0, 3, 1, 4)
        scores = (query * (c // HEADS) ** -0.5) @ key.transpose(-2, -1)
        x = x + self.project((scores.softmax(-1) @ value).transpose(1, 2).reshape(n, t, c))
        return x + self.fc2(functional.silu(self.fc1(self.norm2(x))))


class Neck(nn.Module):
    """Frames ``(n, c, t)`` -> ``(n, t, d)``, each with all of the line in view."""

    def __init__(self, tensors: Tensors, name: str) -> None:
        super().__init__()
        self.reduce, self.skip = (
            convolution(tensors, f"{name}.{part}", f"{name}.{part}.norm") for part in ("conv_reduce", "skip_conv")
        )
        self.local = convolution(tensors, f"{name}.local_conv.0", f"{name}.local_conv.1", weights=".weight")
        count = next(k for k in range(100) if not tensors.has(f"{name}.svtr_block.{k}"))
        self.blocks = nn.ModuleList([Attention(tensors, f"{name}.svtr_block.{k}") for k in range(count)])
        self.norm = _layer_norm(tensors, f"{name}.norm", LAST_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        x = x.unsqueeze(2)  # (n, c, 1, t)
        skip, z = functional.silu(self.skip(x)), functional.silu(self.reduce(x))
        z = (z + functional.silu(self.local(z))).squeeze(2).transpose(1, 2)  # (n, t, d)
        for block in self.blocks:
            z = block(z)
        return self.norm(z) + skip.squeeze(2).transpose(1, 2)


class Head(nn.Module):
    """Frames ``(n, t, d)`` -> logits ``(n, t, classes)``; in the smallest network, convolutions along the line first."""

    def __init__(self, tensors: Tensors, name: str) -> None:
        super().__init__()
        self.guide: nn.Module | None = None
        if tensors.has(f"{name}.guide_layer"):
            at = f"{name}.guide_layer.block"
            self.guide = nn.Sequential(
                convolution(tensors, f"{at}.0", f"{at}.1", weights=".weight"),
                nn.Hardswish(),
                convolution(tensors, f"{at}.3", f"{at}.4", weights=".weight"),
                nn.Hardswish(),
            )
        parts = ("fc1", "fc2") if tensors.has(f"{name}.fc1") else ("fc",)
        self.classes = nn.Sequential(*(_linear(tensors, f"{name}.{part}") for part in parts))

    def forward(self, x: Tensor) -> Tensor:
        if self.guide is not None:
            x = self.guide(x.transpose(1, 2)).transpose(1, 2)
        return self.classes(x)


class PpocrNetwork(nn.Module):
    """Lines ``(n, 1, height, width)``, paper 0 -> logits ``(n, t, classes)``, a frame for every 8 px."""

    def __init__(self, tensors: Tensors) -> None:
        super().__init__()
        self.stem = Stem(tensors, "backbone.conv1")
        blocks: list[MixingBlock] = []
        for stage, stride in STAGES.items():
            at = f"backbone.{stage}"
            count = next(k for k in range(100) if not tensors.has(f"{at}.{k}"))
            blocks += [MixingBlock(tensors, f"{at}.{k}", stride if k == 0 else (1, 1)) for k in range(max(1, count))]
        self.blocks = nn.Sequential(*blocks)
        self.neck = Neck(tensors, "neck") if tensors.has("neck") else None
        self.head = Head(tensors, "head")

    def forward(self, ink: Tensor) -> Tensor:
        x = functional.avg_pool1d(self.blocks(self.stem(ink)).mean(2), 2)  # (n, c, t)
        return self.head(self.neck(x) if self.neck is not None else x.transpose(1, 2))
