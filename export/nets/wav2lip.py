"""A generator that takes weights of Wav2Lip (Prajwal et al. 2020), for those who hold them.

In go a face of 96 pixels twice, once with its lower half black, and 0.2 s of sound as a mel
spectrum; out comes the face with the mouth of that sound. A stack of convolutions encodes the faces
down to one place, another the sound; a stack of transposed ones paints from the sound, and is given
at each size what the faces had there. Names and shapes of the weights are those of the published
generator; the layers are written down once, in the tables below. What the runtime feeds it is in
``edgeavatar/rendering/wav2lip.py`` and ``edgeavatar/audio/mel_windows.py``.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from export.checkpoints import load_into, read_tensors

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 96
"""Pixels along a side of a face."""
MEL_BANDS, MEL_ROWS = 80, 16
"""What it hears: bands, and rows of which there are 80 a second."""
FACE_CHANNELS = 6
"""Blue, green, red of the face whose lower half is black, then those of the whole one; 0 to 1."""
_COUNTER = ".num_batches_tracked"
"""Counts steps of training; no output depends on it, and old checkpoints lack it."""


class Layer(NamedTuple):
    """One convolution, its normalisation and its ReLU."""

    channels: int
    """That it gives."""
    kernel: int = 3
    stride: int | tuple[int, int] = 1
    """Down, across."""
    padding: int = 1
    repeats: int = 0
    """So many residual ones of the same width follow."""


FACE_ENCODER = (
    Layer(16, kernel=7, padding=3),
    Layer(32, stride=2, repeats=2),
    Layer(64, stride=2, repeats=3),
    Layer(128, stride=2, repeats=2),
    Layer(256, stride=2, repeats=2),
    Layer(512, stride=2, repeats=1),
)
"""One block each, of 96, 48, 24, 12, 6 and 3 pixels; then :data:`TO_ONE_PLACE`, which is one."""
TO_ONE_PLACE = (Layer(512, padding=0), Layer(512, kernel=1, padding=0))
AUDIO_ENCODER = (
    Layer(32, repeats=2),
    Layer(64, stride=(3, 1), repeats=2),
    Layer(128, stride=3, repeats=2),
    Layer(256, stride=(3, 2), repeats=1),
    *TO_ONE_PLACE,
)
"""All in one row."""
FACE_DECODER = (
    Layer(512, padding=0, repeats=1),
    Layer(512, stride=2, repeats=2),
    Layer(384, stride=2, repeats=2),
    Layer(256, stride=2, repeats=2),
    Layer(128, stride=2, repeats=2),
    Layer(64, stride=2, repeats=2),
)
"""One block each, of 3 to 96 pixels, the first convolution of each transposed. A block of one plain
convolution at one place comes before."""
LAST_WIDTH = 32


class Convolution(nn.Module):
    """A convolution, batch normalisation, perhaps the input added, ReLU."""

    def __init__(self, given: int, layer: Layer, *, residual: bool = False) -> None:
        super().__init__()
        self.residual = residual
        self.conv_block = nn.Sequential(self._convolution(given, layer), self._norm(layer))

    def _convolution(self, given: int, layer: Layer) -> nn.Module:
        return nn.Conv2d(given, layer.channels, layer.kernel, layer.stride, layer.padding)

    def _norm(self, layer: Layer) -> nn.Module:
        return nn.BatchNorm2d(layer.channels)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``(n, c, h, w)``."""
        made = self.conv_block(x)
        return functional.relu(made + x if self.residual else made)


class Transposed(Convolution):
    """The same with a transposed convolution, which doubles the size where its stride is 2."""

    def _convolution(self, given: int, layer: Layer) -> nn.Module:
        more = 1 if layer.stride == 2 else 0
        return nn.ConvTranspose2d(
            given, layer.channels, layer.kernel, layer.stride, layer.padding, output_padding=more
        )


def _stack(
    given: int, layers: tuple[Layer, ...], first: type[Convolution] = Convolution
) -> nn.Sequential:
    """Put layers and their repeats in a row; ``first`` is the kind of the very first."""
    made: list[nn.Module] = []
    for layer in layers:
        made.append((Convolution if made else first)(given, layer))
        given = layer.channels
        made += [Convolution(given, Layer(given), residual=True) for _ in range(layer.repeats)]
    return nn.Sequential(*made)


class Wav2Lip(nn.Module):
    """Faces and sound to faces that say it."""

    def __init__(self) -> None:
        super().__init__()
        widths = [layer.channels for layer in FACE_ENCODER]
        blocks = zip([FACE_CHANNELS, *widths], [(layer,) for layer in FACE_ENCODER], strict=False)
        self.face_encoder_blocks = nn.ModuleList(
            [_stack(given, layers) for given, layers in [*blocks, (widths[-1], TO_ONE_PLACE)]]
        )
        self.audio_encoder = _stack(1, AUDIO_ENCODER)
        painted = TO_ONE_PLACE[-1].channels
        self.face_decoder_blocks = nn.ModuleList([_stack(painted, TO_ONE_PLACE[-1:])])
        # Each is given what the one before painted, and what the faces had at that size.
        for layer, seen in zip(FACE_DECODER, [painted, *reversed(widths)], strict=False):
            self.face_decoder_blocks.append(_stack(painted + seen, (layer,), Transposed))
            painted = layer.channels
        self.output_block = nn.Sequential(
            Convolution(painted + widths[0], Layer(LAST_WIDTH)),
            nn.Conv2d(LAST_WIDTH, 3, 1),
            nn.Sigmoid(),
        )

    def forward(self, mel: Tensor, face: Tensor) -> Tensor:
        """Paint.

        Parameters
        ----------
        mel
            ``(n, 1, 80, 16)``, -4 to 4.
        face
            ``(n, 6, 96, 96)``, see :data:`FACE_CHANNELS`.

        Returns
        -------
        Tensor
            ``(n, 3, 96, 96)``, blue, green, red, 0 to 1.
        """
        seen = []
        for block in self.face_encoder_blocks:
            face = block(face)
            seen.append(face)
        painted = self.audio_encoder(mel)
        for block in self.face_decoder_blocks:
            painted = torch.cat([block(painted), seen.pop()], dim=1)
        return self.output_block(painted)


def load_generator(path: Path) -> Wav2Lip:
    """Read a checkpoint of the published layout.

    Parameters
    ----------
    path
        See :func:`export.checkpoints.read_tensors`.

    Raises
    ------
    ModelNotFound, IntegrityError
        As :func:`~export.checkpoints.read_tensors` and :func:`~export.checkpoints.load_into`.
    """
    tensors = read_tensors(path)
    net = Wav2Lip()
    for name, own in net.state_dict().items():
        if name.endswith(_COUNTER):
            tensors.setdefault(name, own)
    load_into(net, tensors, path.name)
    return net.eval()


def folded(net: Wav2Lip) -> Wav2Lip:
    """Copy a net with each normalisation made a part of the convolution before it.

    It computes the same in ``eval()``; its state has other names.
    """
    copy = deepcopy(net).eval().cpu()
    for module in copy.modules():
        if isinstance(module, Convolution):
            convolution, norm = module.conv_block
            transposed = isinstance(module, Transposed)
            fused = fuse_conv_bn_eval(convolution, norm, transpose=transposed)
            module.conv_block = nn.Sequential(fused)
    return copy


def some_inputs(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Make up spectra and faces, ``(mel, face)``; the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    mel = 8.0 * torch.rand(count, 1, MEL_BANDS, MEL_ROWS, generator=generator) - 4.0
    whole = torch.rand(count, FACE_CHANNELS // 2, SIZE, SIZE, generator=generator)
    half = whole.clone()
    half[:, :, SIZE // 2 :] = 0.0
    return mel, torch.cat([half, whole], dim=1)


@torch.no_grad()
def untrained(seed: int = 0) -> Wav2Lip:
    """Make a generator with random weights whose outputs depend on all inputs, for tests.

    Its normalisation has met some inputs: without, sound is a millionth of what comes out.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Wav2Lip()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0.0, 0.3)
                module.momentum = 1.0
    net.train()(*some_inputs(4, seed))
    return net.eval()
