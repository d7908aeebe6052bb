"""Train the denoiser of the space in which embeddings are compared (voice/space.py).

    python tools/train_denoiser.py noisy.npz voice/data/space.npz

Needs torch, which the device does not. Learns to turn the placed embedding of noisy speech into that of the
same speech without noise: the distance between the two on the unit sphere, and, so that different sounds stay
apart, to tell it from those of the other frames in the batch. One utterance in twelve is held out and shown.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn

from voice.adapters.bank import raw_bank
from voice.space import CONTEXT, Space

BATCH = 768
TEMPERATURE = 0.08
CONTRAST = 0.1


def examples(path: Path, space: Space, scale: np.ndarray) -> list[tuple[torch.Tensor, torch.Tensor, int]]:
    """For each utterance and version: inputs, shape (frames, 96 * (1 + CONTEXT)), the clean frames placed,
    shape (frames, 96), and whether it has noise."""
    with np.load(path) as stored:
        embeddings, lengths = stored["embeddings"], stored["lengths"]
    rows = []
    for utterance in np.split(embeddings, np.cumsum(lengths)[:-1], axis=1):
        clean = torch.tensor(space.place(utterance[0].astype(np.float32)))
        for version, noisy in enumerate(utterance.astype(np.float32)):
            scaled = (noisy - space.mean) / scale
            ago = [np.maximum(np.arange(len(scaled)) - frames, 0) for frames in range(CONTEXT + 1)]
            inputs = np.concatenate([scaled[index] for index in ago], axis=1).astype(np.float16)
            rows.append((torch.tensor(inputs), clean, min(version, 1)))
    return rows


class Network(nn.Module):
    def __init__(self, space: Space, scale: np.ndarray, hidden: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("linear", torch.tensor(space.projection * scale[:, None]))
        self.dense = nn.ModuleList(
            [nn.Linear(96 * (1 + CONTEXT), hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 96)]
        )
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.dense[-1].weight)
        nn.init.zeros_(self.dense[-1].bias)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        values = inputs
        for layer in self.dense[:-1]:
            values = self.dropout(torch.relu(layer(values)))
        placed = inputs[:, :96] @ self.linear + self.dense[-1](values)
        return nn.functional.normalize(placed, dim=1)


def shown(network: Network, rows: list[tuple[torch.Tensor, torch.Tensor, int]]) -> str:
    """Mean cosine distance to the clean frame, without and with noise, before and after the network."""
    figures = []
    network.eval()
    with torch.no_grad():
        for noisy in (0, 1):
            inputs = torch.cat([x for x, _, kind in rows if kind == noisy]).float()
            clean = torch.cat([y for _, y, kind in rows if kind == noisy])
            plain = nn.functional.normalize(inputs[:, :96] @ network.linear, dim=1)
            distances = [float(1 - (placed * clean).sum(1).mean()) for placed in (plain, network(inputs))]
            figures.append("{:.3f} -> {:.3f}".format(*distances))
    network.train()
    return f"clean {figures[0]}, noisy {figures[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--dropout", type=float, default=0.1)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    negatives = np.concatenate(raw_bank())
    space, scale = Space.of(negatives), negatives.std(axis=0) + np.float32(1e-3)
    rows = examples(options.data, space, scale)
    held_out = len(rows) // 12 // 4 * 4
    inputs = torch.cat([x for x, _, _ in rows[held_out:]])
    clean = torch.cat([y for _, y, _ in rows[held_out:]])
    network = Network(space, scale, options.hidden, options.dropout)
    print(f"{len(inputs)} frames; {shown(network, rows[:held_out])}", flush=True)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-3)
    for step in range(options.steps):
        rate = min(1.0, step / 100) * 0.5 * (1 + math.cos(math.pi * step / options.steps))
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * rate
        chosen = torch.randint(len(inputs), (BATCH,))
        placed, target = network(inputs[chosen].float()), clean[chosen]
        distance = (1 - (placed * target).sum(1)).mean()
        contrast = nn.functional.cross_entropy(placed @ target.T / TEMPERATURE, torch.arange(BATCH))
        optimiser.zero_grad()
        (distance + CONTRAST * contrast).backward()
        optimiser.step()
        if step % 500 == 499:
            print(f"{step + 1}: {shown(network, rows[:held_out])}", flush=True)
    arrays = {"mean": space.mean, "projection": space.projection, "scale": scale}
    for number, layer in enumerate(network.dense):
        arrays[f"weights{number}"] = layer.weight.detach().numpy().T.astype(np.float16)
        arrays[f"bias{number}"] = layer.bias.detach().numpy()
    np.savez_compressed(options.out, **arrays)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
