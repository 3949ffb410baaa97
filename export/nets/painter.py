"""The mouth painter: it mixes and relights layers, and draws no texture of its own.

In go the layers of :mod:`edgeavatar.rendering.layers`. Out come, for each pixel of lips and
cavity, shares of the warped source, of the modelled interior and of a reference; one light for the
interior and one for the reference; and a smooth gain of brightness for skin that was moved: the
fold beside a smile, the shade under a lip. All texture is that of a layer, so teeth stay as sharp
as they were drawn, and nothing flickers that does not flicker in a layer.

The bounds are narrow because little is known of strangers' mouths: 89 photographed people smile,
one filmed man speaks. A net that was free to colour each place of the cavity learned his, and gave
strangers a beige haze for a cavity; one that was free to show skin in it did; one that was judged
by brightness alone made it red.

The shape is a U-Net (Ronneberger et al. 2015) over patches of 4 x 4 pixels, unfolded at the end by
a sub-pixel convolution (Shi et al. 2016), with plain convolutions and ReLU, which INT8 likes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

FOLD = 4
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
SHIFT_PX = 16.0
"""Pixels at 256 that count as 1 in the shift."""
STILL_PX, MOVED_PX = 0.5, 4.0
"""Skin shifted by less than the first, at 256, keeps its light; by more than the second, may lose
it."""


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
    """Layers to a painted mouth.

    Parameters
    ----------
    width
        Channels at a quarter of the size; twice that at an eighth, four times at a sixteenth.
    """

    def __init__(self, width: int = 32) -> None:
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
        self.shares = nn.Conv2d(width, 3 * FOLD * FOLD, 1)
        self.light = nn.Conv2d(4 * width, 5, 1)
        self.shade = nn.Conv2d(2 * width, 1, 1)
        for head in (self.shares, self.light, self.shade):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, layers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Paint.

        Parameters
        ----------
        layers
            ``(b, 14, s, s)``, colours 0 to 1, shift in units of :data:`SHIFT_PX` at 256.

        Returns
        -------
        colour
            ``(b, 3, s, s)``: of what is painted.
        alpha
            ``(b, 1, s, s)``: how much of it covers the warped source; 0 away from lips and cavity.
        gain
            ``(b, 1, s / 8, s / 8)``: of brightness, on the warped source.
        """
        interior = layers[:, 3:6]
        cavity, lips, shift = layers[:, 6:7], layers[:, 7:8], layers[:, 8:10]
        reference, known = layers[:, 10:13], layers[:, 13:14]
        a = self.fine(functional.relu(self.enter(layers)))
        b = self.middle(self.down(a))
        c = self.deep(self.further(b))
        b = self.after(functional.relu(_twice(self.back(c)) + b))
        a = self.last(functional.relu(_twice(self.up(b)) + a))
        # Untrained, this is the geometric renderer: the interior where the mouth is open.
        wants = functional.pixel_shuffle(self.shares(a), FOLD)
        bounds = (SKIN_REACH, SKIN_REACH, REFERENCE_REACH)
        wants = [r * torch.tanh(wants[:, i : i + 1] / r) for i, r in enumerate(bounds)]
        # Odds instead of a softmax, which would be slow over three planes; nothing overflows.
        skin = torch.exp(wants[0] + 6.0 - 12.0 * cavity)
        modelled = torch.exp(wants[1])
        other = torch.exp(wants[2] - 4.0) * known
        shown = modelled + other
        light = torch.tanh(self.light(c.mean(dim=(2, 3), keepdim=True)))
        # The colour of the interior's light is known from the skin, and not from the net, which
        # gave open mouths, that nobody showed it, pink teeth.
        light = LIGHT_REACH * light[:, :2], CAST_REACH * light[:, 2:]
        tint = torch.exp(light[0][:, :1]), torch.exp(light[0][:, 1:] + light[1])
        alpha = shown / (skin + shown) * lips
        painted = modelled * tint[0] * interior + other * tint[1] * reference
        colour = torch.clamp(painted / shown, 0.0, 1.0)
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
        return colour, alpha, gain


def compose(layers: Tensor, colour: Tensor, alpha: Tensor, gain: Tensor) -> Tensor:
    """Lay what was painted over the warped source, ``(b, 3, s, s)``."""
    shade = functional.interpolate(
        gain, scale_factor=2 * FOLD, mode="bilinear", align_corners=False
    )
    skin = torch.clamp(layers[:, :3] * shade, 0.0, 1.0)
    return skin + alpha * (colour - skin)


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")
