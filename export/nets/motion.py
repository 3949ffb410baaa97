"""The two motion nets: one hears phones in sound, the other moves the mouth by phones.

Both are stacks of dilated convolutions over time in the manner of Bai, Kolter and Koltun (2018,
"An empirical evaluation of generic convolutional and recurrent networks for sequence modeling")
with the block of ConvNeXt (Liu et al. 2022): a convolution of each channel over time, a norm over
channels, and two products of channels around a GELU. They are causal; what little they know of the
future comes from their outputs being late by a fixed number of rows. Everything that a net
remembers is one tensor, given in and out, so that a stream in pieces and the whole file make the
same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

N_MELS = 80
PHONES = 37
ARTICULATORS = 9
LISTENER_DELAY = 6
"""Rows of 10 ms by which phones come after the sound that they are heard in."""
MOUTH_DELAY = 4
"""Rows by which the movement comes after the phones."""


class _Block(nn.Module):
    def __init__(self, width: int, kernel: int, dilation: int, widening: int = 1) -> None:
        super().__init__()
        self.memory = (kernel - 1) * dilation
        self.over_time = nn.Conv1d(width, width, kernel, dilation=dilation, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, width * widening)
        self.narrow = nn.Linear(width * widening, width)
        nn.init.zeros_(self.narrow.bias)
        with torch.no_grad():
            self.narrow.weight.mul_(0.3)

    def forward(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        longer = torch.cat([past, x], dim=2)
        y = self._over_time(longer, x.shape[2]).transpose(1, 2)
        y = self.narrow(functional.gelu(self.widen(self.norm(y)), approximate="tanh"))
        return x + y.transpose(1, 2), longer[:, :, -self.memory :]

    def _over_time(self, longer: Tensor, rows: int) -> Tensor:
        if not torch.compiler.is_compiling():
            return self.over_time(longer)
        # The compiler fuses sums with what follows, convolutions it does not: half the time.
        taps = self.over_time.weight[:, 0]
        step = self.over_time.dilation[0]
        parts = [
            taps[:, k, None] * longer[:, :, k * step :][..., :rows] for k in range(taps.shape[1])
        ]
        return self.over_time.bias[:, None] + sum(parts[1:], parts[0])


class CausalStack(nn.Module):
    """Rows in, rows out, and a memory.

    Parameters
    ----------
    inputs, outputs
        Columns.
    width
        Channels inside.
    dilations
        One block for each.
    kernel
        Taps of each block's convolution over time.
    """

    def __init__(
        self, inputs: int, outputs: int, width: int, dilations: Sequence[int], kernel: int = 3
    ) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(_Block(width, kernel, d) for d in dilations)
        self.norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, outputs)
        self.width = width
        self.memories = [block.memory for block in self.blocks]

    def start(self, batch: int = 1) -> Tensor:
        """Give the memory of a stream that has not begun: ``(batch, width, rows)`` zeros."""
        return self.last.weight.new_zeros(batch, self.width, sum(self.memories))

    def forward(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(batch, n, inputs)`` to ``(batch, n, outputs)`` and the next memory."""
        x = self.first(rows).transpose(1, 2)
        kept = []
        begin = 0
        for block in self.blocks:
            past = state[:, :, begin : begin + block.memory]
            begin += block.memory
            x, memory = block(x, past)
            kept.append(memory)
        return self.last(self.norm(x.transpose(1, 2))), torch.cat(kept, dim=2)


class Listener(nn.Module):
    """Log-mel rows to phone logits and clean loudness, late by LISTENER_DELAY rows."""

    def __init__(self, width: int = 224) -> None:
        super().__init__()
        self.stack = CausalStack(N_MELS, PHONES + 1, width, (1, 2, 4, 8, 16, 1, 2, 4, 8, 16))

    def forward(self, mel: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map ``(b, n, 80)`` to logits ``(b, n, 37)``, loudness ``(b, n, 1)`` and memory."""
        out, state = self.stack(mel, state)
        return out[..., :PHONES], torch.sigmoid(out[..., PHONES:]) * 1.2, state


class Mouth(nn.Module):
    """Phone probabilities and loudness to articulators, late by MOUTH_DELAY rows."""

    def __init__(self, width: int = 112) -> None:
        super().__init__()
        self.stack = CausalStack(PHONES + 1, ARTICULATORS, width, (1, 1, 2, 4, 8, 1, 2), kernel=3)

    def forward(self, phones: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(b, n, 38)`` to ``(b, n, 9)`` and memory."""
        return self.stack(phones, state)
