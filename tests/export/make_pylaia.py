"""Runs in PyLaia's environment: makes a small model with PyLaia and says what it reads.

``make_pylaia.py FOLDER SEQUENCER``: writes ``model``, ``syms.txt``, ``experiment/epoch=0.ckpt`` and ``expected.npz`` (a line
as PyLaia prepares it, and its logits).
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from laia.common.saver import ModelSaver
from laia.data.transforms.vision import ToImageTensor
from laia.models.htr import LaiaCRNN
from PIL import Image
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn

SYMBOLS = ["<ctc>", *"abcdefghijklmnopqrstuvwxyz", "<space>"]


def main(folder: Path, sequencer: str) -> None:
    arguments = {
        "num_input_channels": 1,
        "num_output_labels": len(SYMBOLS),
        "cnn_num_features": [8, 12, 16],
        "cnn_kernel_size": [[3, 3], [3, 5], [3, 3]],
        "cnn_stride": [[1, 1], [1, 1], [1, 1]],
        "cnn_dilation": [[1, 1], [1, 1], [1, 1]],
        "cnn_activation": [nn.LeakyReLU, nn.ReLU, nn.LeakyReLU],
        "cnn_poolsize": [[2, 2], [2, 2], [2, 0]],
        "cnn_dropout": [0.0, 0.2, 0.0],
        "cnn_batchnorm": [True, False, True],
        "image_sequencer": sequencer,
        "rnn_units": 16,
        "rnn_layers": 2,
        "rnn_dropout": 0.5,
        "lin_dropout": 0.5,
        "rnn_type": nn.LSTM,
    }
    torch.manual_seed(1)
    network = LaiaCRNN(**arguments)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.get_buffer("running_mean"), -0.2, 0.2)
            nn.init.uniform_(module.get_buffer("running_var"), 0.5, 2.0)
    ModelSaver(str(folder)).save(LaiaCRNN, **arguments)
    (folder / "syms.txt").write_text("".join(f"{s} {i}\n" for i, s in enumerate(SYMBOLS)), "utf-8")
    (folder / "experiment").mkdir()
    weights = {f"model.{name}": value for name, value in network.state_dict().items()}
    checkpoint = {
        "epoch": 3,
        "global_step": 40,
        "pytorch-lightning_version": "1.1.7",
        "callbacks": {ModelCheckpoint: {"monitor": "va_cer", "current_score": torch.tensor(0.5)}},
        "optimizer_states": [torch.optim.RMSprop(network.parameters()).state_dict()],
        "lr_schedulers": [],
        "state_dict": weights,
    }
    torch.save(checkpoint, folder / "experiment" / "epoch=3.ckpt")
    image = Image.open(folder / "line.png")
    line = ToImageTensor(fixed_height=128)(image)[None]
    with torch.no_grad():
        logits = network.eval()(line)
    logits = logits.data if hasattr(logits, "batch_sizes") else logits
    np.savez(folder / "expected.npz", line=line.numpy(), logits=logits.reshape(-1, len(SYMBOLS)).numpy())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
