"""The mouth painter: it decides how layers are mixed and lit, and draws no texture of its own.

In go the layers of :mod:`edgeavatar.rendering.layers` at 128 pixels. Out come, for each of these
pixels, wishes for the warped source, for the modelled interior and for a reference; one light for
the interior and one for the reference; and a smooth gain of brightness for skin that was moved: the
fold beside a smile, the shade under a lip. :func:`mix` makes shares of the wishes and lays the
layers over each other at any size, so that a mouth is as sharp as its layers, however large the
face; at the runtime that is ``edgeavatar/kernels/mixing.py``. All texture is that of a layer, so
nothing flickers that does not flicker in a layer.

The bounds are narrow because little is known of strangers' mouths: 89 photographed people smile,
one filmed man speaks. A net that was free to colour each place of the cavity learned his, and gave
strangers a beige haze for a cavity; one that was free to show skin in it did; one that was judged
by brightness alone made it red.

The shape is a U-Net (Ronneberger et al. 2015) over patches of 2 x 2 pixels, unfolded at the end by
a sub-pixel convolution (Shi et al. 2016), with plain convolutions and ReLU, which INT8 likes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE = 128
"""Pixels along a side of what the net is given."""
FOLD = 2
FULL_WIDTH, SMALL_WIDTH = 24, 16
"""Channels of the net that ships and of the one for slow machines."""
INPUTS = 14
"""Warped 3, interior 3, cavity, lips, shift 2, reference 3, 1 where there is a reference."""
SHADE_REACH = 0.3
"""Largest logarithm of the gain on skin."""
LIGHT_REACH, CAST_REACH = 0.9, 0.12
"""Largest logarithm of the gain on the interior and on the reference; and of what one colour of the
reference may have beyond that."""
SKIN_REACH, REFERENCE_REACH = 2.0, 6.0
"""How far the net may move the odds of skin and interior (it cannot show an eighth of skin in the
middle of the cavity), and those of a reference."""
SHIFT_PX = 8.0
"""Pixels that count as 1 in the shift."""
STILL_PX, MOVED_PX = 0.25, 2.0
"""Skin shifted by less than the first keeps its light; by more than the second, may lose it."""

EDGE = 5.0
"""The gain on skin comes to nothing over the outermost fifth of each half."""


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(width, width, 3, padding=1)
        self.two = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            self.two.weight.mul_(0.2)
            self.two.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.two(functional.relu(self.one(x))))


class Painter(nn.Module):
    """Layers to how they are mixed.

    Parameters
    ----------
    width
        Channels at half of the size; twice that at a quarter, four times at an eighth.
    """

    def __init__(self, width: int = FULL_WIDTH) -> None:
        super().__init__()
        self.enter = nn.Conv2d(INPUTS, width, FOLD, stride=FOLD)
        self.fine = _Residual(width)
        self.down = nn.Conv2d(width, 2 * width, 2, stride=2)
        self.middle = nn.Sequential(_Residual(2 * width), _Residual(2 * width))
        self.further = nn.Conv2d(2 * width, 4 * width, 2, stride=2)
        self.deep = nn.Sequential(_Residual(4 * width), _Residual(4 * width))
        self.back = nn.Conv2d(4 * width, 2 * width, 1)
        self.after = _Residual(2 * width)
        self.up = nn.Conv2d(2 * width, width, 1)
        self.last = _Residual(width)
        self.wishes = nn.Conv2d(width, 3 * FOLD * FOLD, 1)
        self.light = nn.Conv2d(4 * width, 5, 1)
        self.shade = nn.Conv2d(2 * width, 1, 1)
        reach = torch.tensor([SKIN_REACH, SKIN_REACH, REFERENCE_REACH])[:, None, None]
        self.register_buffer("reach", reach, persistent=False)
        for head in (self.wishes, self.light, self.shade):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, layers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Decide.

        Parameters
        ----------
        layers
            ``(b, 14, s, s)``, colours 0 to 1, shift in units of :data:`SHIFT_PX`.

        Returns
        -------
        wishes
            ``(b, 3, s, s)``: for warped source, interior and reference, within their reach.
        tints
            ``(b, 6)``: factors of the interior's and of the reference's colours.
        gain
            ``(b, 1, s / 4, s / 4)``: of brightness, on the warped source.
        """
        shift = layers[:, 8:10]
        a = self.fine(functional.relu(self.enter(layers)))
        b = self.middle(self.down(a))
        c = self.deep(self.further(b))
        b = self.after(functional.relu(_twice(self.back(c)) + b))
        a = self.last(functional.relu(_twice(self.up(b)) + a))
        wishes = functional.pixel_shuffle(self.wishes(a), FOLD)
        wishes = self.reach * torch.tanh(wishes / self.reach)
        light = torch.tanh(self.light(c.mean(dim=(2, 3), keepdim=True))[:, :, 0, 0])
        # The colour of the interior's light is known from the skin, and not from the net, which
        # gave open mouths, that nobody showed it, pink teeth.
        level, cast = LIGHT_REACH * light[:, :2], CAST_REACH * light[:, 2:]
        tints = torch.exp(torch.cat([level[:, :1].expand(-1, 3), level[:, 1:] + cast], dim=1))
        moved = torch.sqrt((shift**2).sum(dim=1, keepdim=True) + 1e-8) * SHIFT_PX
        moved = torch.clamp((moved - STILL_PX) / (MOVED_PX - STILL_PX), 0.0, 1.0)
        moved = functional.avg_pool2d(moved, 2 * FOLD)
        # Nothing changes at the border of the square, which is no border in the picture.
        side = moved.shape[-1]
        line = 2.0 * torch.arange(side).to(layers) / (side - 1) - 1.0
        inside = torch.clamp(EDGE * (1.0 - line.abs()), 0.0, 1.0)
        gain = torch.exp(
            SHADE_REACH * torch.tanh(self.shade(b)) * moved * inside[None, :] * inside[:, None]
        )
        return wishes, tints, gain


def mix(layers: Tensor, wishes: Tensor, tints: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
    """Lay layers of any size over each other as the net decided.

    Parameters
    ----------
    layers
        ``(b, 14, s, s)``: what the net was given, or the same in a larger size.
    wishes, tints, gain
        From the net.

    Returns
    -------
    made
        ``(b, 3, s, s)``: the mouth.
    alpha
        ``(b, 1, s, s)``: how much covers the warped source; 0 away from lips and cavity.
    """
    size = layers.shape[-1]
    interior, cavity, lips = layers[:, 3:6], layers[:, 6:7], layers[:, 7:8]
    reference, known = layers[:, 10:13], layers[:, 13:14]
    wishes, shade = (
        functional.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
        for x in (wishes, gain)
    )
    # Undecided, this is the geometric renderer: the interior where the mouth is open.
    skin = torch.exp(wishes[:, :1] + 6.0 - 12.0 * cavity)
    modelled = torch.exp(wishes[:, 1:2])
    other = torch.exp(wishes[:, 2:] - 4.0) * known
    shown = modelled + other
    alpha = shown / (skin + shown) * lips
    tints = tints[:, :, None, None]
    painted = modelled * tints[:, :3] * interior + other * tints[:, 3:] * reference
    colour = torch.clamp(painted / shown, 0.0, 1.0)
    lit = torch.clamp(layers[:, :3] * shade, 0.0, 1.0)
    return lit + alpha * (colour - lit), alpha


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")
