"""What happens to sound on its way to the ear, in batches on the GPU: rooms, noise, music, wires.

Everything is drawn anew for each batch, so a net never hears the same recording twice.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from edgeavatar.motion.hearing import (
    FALL_PER_ROW,
    INPUT_BOUNDS,
    INPUT_SCALE,
    LEVEL_LOWEST,
    LEVEL_START,
    LOUDNESS_LOWEST,
    LOUDNESS_SPAN,
    LOUDNESS_START,
)
from edgeavatar.motion.mel import FLOOR, HOP_LENGTH, N_FFT, SAMPLE_RATE, WINDOW_LENGTH


def log_mel(sound: Tensor, filters: Tensor) -> Tensor:
    """Log-mel rows ``(b, n, mels)`` of ``(b, n * 160)``, as :mod:`edgeavatar.motion.mel`."""
    padded = torch.nn.functional.pad(sound, (WINDOW_LENGTH // 2, WINDOW_LENGTH // 2))
    n = torch.arange(WINDOW_LENGTH, device=sound.device)
    window = 0.5 - 0.5 * torch.cos(2.0 * math.pi * n / WINDOW_LENGTH)
    window = window * 2.0 / window.sum()
    count = sound.shape[1] // HOP_LENGTH
    frames = padded.unfold(1, WINDOW_LENGTH, HOP_LENGTH)[:, :count] * window
    power = torch.fft.rfft(frames, N_FFT).abs() ** 2
    return torch.log(torch.clamp(power @ filters.T, min=FLOOR))


def levelled(mel: Tensor) -> Tensor:
    """Bring rows to the level of the speech so far: what the net is given, ``(b, n, mels)``.

    The level is the loudest row so far, forgotten at 5.2 dB a second; a running maximum of
    ``loudness + fall * t`` less ``fall * t`` is just that.
    """
    loudness = torch.logsumexp(mel, dim=2)
    fall = FALL_PER_ROW * torch.arange(1, mel.shape[1] + 1, device=mel.device)
    start = torch.full_like(loudness[:, :1], LEVEL_START)
    running = torch.cummax(torch.cat([start, loudness + fall], dim=1), dim=1).values[:, 1:] - fall
    level = torch.clamp(running, min=LEVEL_LOWEST)
    return torch.clamp((mel - level[..., None]) * INPUT_SCALE, *INPUT_BOUNDS)


def strangers(rows: Tensor, generator: torch.Generator) -> Tensor:
    """Give each row of a batch a vocal tract of another length, and cover some of its bands.

    Warping the mel axis moves the formants and leaves the pitch (Jaitly & Hinton 2013); covering
    bands is from Park et al. (2019). Takes and gives what :func:`levelled` does.
    """
    b, _, mels = rows.shape

    def uniform(low: float, high: float) -> Tensor:
        u = torch.rand(b, 1, generator=generator, device=rows.device)
        return low + (high - low) * u

    band = torch.arange(mels, device=rows.device)[None]
    position = torch.clamp(band * torch.exp(uniform(-0.2, 0.2)), 0.0, mels - 1.001)
    low = position.long()
    share = (position - low)[:, None]
    index = low[:, None].expand_as(rows)
    below, above = rows.gather(2, index), rows.gather(2, index + 1)
    warped = below + share * (above - below)
    for _ in range(2):
        first, width = uniform(-20.0, mels), uniform(0.0, 14.0)
        covered = (band >= first) & (band < first + width)
        warped = torch.where(covered[:, None], torch.full_like(warped, INPUT_BOUNDS[0]), warped)
    return warped


def loudness_rows(sound: Tensor) -> Tensor:
    """Loudness of each row relative to the loudest of late, 0 to 1.2: ``(b, n)``."""
    padded = torch.nn.functional.pad(sound, (WINDOW_LENGTH // 2, WINDOW_LENGTH // 2))
    count = sound.shape[1] // HOP_LENGTH
    power = (padded**2).unfold(1, WINDOW_LENGTH, HOP_LENGTH)[:, :count].mean(dim=2)
    loud = torch.log(power + 1e-9)
    fall = FALL_PER_ROW * torch.arange(1, count + 1, device=sound.device)
    start = torch.full_like(loud[:, :1], LOUDNESS_START)
    level = torch.cummax(torch.cat([start, loud + fall], dim=1), dim=1).values[:, 1:] - fall
    return torch.clamp(
        (loud - torch.clamp(level, min=LOUDNESS_LOWEST)) / LOUDNESS_SPAN + 1.0, 0.0, 1.2
    )


def music_bank(count: int, length: int, seed: int) -> Tensor:
    """Make pieces of simple music ``(count, length)``: chords, bass, melody, drums; RMS 1."""
    draw = np.random.default_rng(seed)
    t = np.arange(length) / SAMPLE_RATE
    pieces = np.zeros((count, length), np.float32)
    for piece in pieces:
        beat = draw.uniform(0.3, 0.7)
        root = draw.uniform(80.0, 200.0)
        bright = draw.uniform(0.6, 1.6)
        for _ in range(int(draw.integers(2, 5))):
            octave, each = 2.0 ** draw.integers(0, 4), beat * 2.0 ** draw.integers(-1, 3)
            loud, decay = draw.uniform(0.2, 1.0), draw.uniform(0.15, 3.0)
            at = draw.uniform(0.0, each)
            while at < t[-1]:
                first = int(at * SAMPLE_RATE)
                span = t[first : first + int(min(3.0, 2.5 * each) * SAMPLE_RATE)] - t[first]
                semitone = draw.choice([0, 2, 3, 4, 5, 7, 9, 10, 12])
                tone = np.zeros_like(span)
                f0 = root * octave * 2.0 ** (semitone / 12.0)
                vibrato = 0.004 * np.sin(2.0 * np.pi * 5.0 * span) * draw.integers(0, 2)
                for k in range(1, 13):
                    if k * f0 < 7500.0:
                        tone += np.sin(2 * np.pi * k * f0 * (span + vibrato)) / k**bright
                attack = np.minimum(1.0, span / draw.choice([0.005, 0.05, 0.2]))
                piece[first : first + len(span)] += loud * tone * attack * np.exp(-span / decay)
                at += each
        if draw.random() < 0.7:
            for at in np.arange(draw.uniform(0, beat), t[-1], beat / draw.integers(1, 4)):
                first = int(at * SAMPLE_RATE)
                span = t[first : first + 3200] - t[first]
                hit = draw.standard_normal(len(span)) * np.exp(-span / draw.uniform(0.01, 0.08))
                if draw.random() < 0.5:
                    hit = np.sin(2 * np.pi * 60.0 * span) * np.exp(-span / 0.08) * 3.0
                piece[first : first + len(span)] += draw.uniform(0.3, 1.5) * hit
        piece /= np.sqrt((piece**2).mean()) + 1e-6
    return torch.from_numpy(pieces)


class Disturber:
    """Disturbs batches of sound.

    Parameters
    ----------
    samples
        Length of a batch's rows.
    device
        Where batches are.
    seed
        Of everything drawn.
    """

    def __init__(self, samples: int, device: str, seed: int, pieces: int = 160) -> None:
        self._music = music_bank(pieces, samples + SAMPLE_RATE, seed).to(device)
        self._generator = torch.Generator(device=device).manual_seed(seed)
        self._device = device

    def _uniform(self, count: int, low: float, high: float) -> Tensor:
        u = torch.rand(count, 1, generator=self._generator, device=self._device)
        return low + (high - low) * u

    def _chosen(self, count: int, share: float) -> Tensor:
        return (self._uniform(count, 0.0, 1.0) < share).float()

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self._generator, device=self._device)

    def __call__(self, sound: Tensor, level: Tensor) -> Tensor:
        """Disturb ``(b, n)``; ``level`` ``(b, 1)`` is the RMS of the speech in each row."""
        b, n = sound.shape
        size = n + SAMPLE_RATE // 2
        spectrum = torch.fft.rfft(sound, size)
        hz = torch.linspace(0.0, SAMPLE_RATE / 2, spectrum.shape[1], device=self._device)[None]
        octave = torch.log2((hz + 100.0) / 1000.0)
        colour = self._uniform(b, -3.0, 3.0) * octave
        for _ in range(4):
            bump = (octave - self._uniform(b, -3.0, 3.0)) / self._uniform(b, 0.3, 1.2)
            colour = colour + self._uniform(b, -6.0, 6.0) * torch.exp(-(bump**2))
        spectrum = spectrum * 10.0 ** (self._chosen(b, 0.8) * colour / 20.0)
        spectrum = spectrum * self._room(b, size)
        heard = torch.fft.irfft(spectrum, size)[:, :n]
        heard = heard + self._noise(b, n, level) + self._music_bed(b, n, level)
        others = sum(torch.roll(sound, k, dims=0) for k in (1, 2, 5))
        others_level = sum(torch.roll(level, k, dims=0) for k in (1, 2, 5)) / 1.7
        ratio = 10.0 ** (-self._uniform(b, 10.0, 28.0) / 20.0) * self._chosen(b, 0.15)
        heard = heard + others / (others_level + 1e-4) * level * ratio
        heard = self._wire(heard)
        gain = 10.0 ** (self._uniform(b, -24.0, 8.0) / 20.0)
        heard = heard * gain / (level + 1e-4) * 0.08
        limit = torch.where(
            self._chosen(b, 0.1) > 0, self._uniform(b, 0.5, 2.0) * 0.08 * gain, gain * 0 + 1.0
        )
        heard = torch.maximum(torch.minimum(heard, limit), -limit)
        # Bits of a sound card.
        return torch.clamp(heard, -1.0, 1.0) + 2e-5 * self._normal(b, n)

    def _room(self, b: int, size: int) -> Tensor:
        length = SAMPLE_RATE // 2
        t = torch.arange(length, device=self._device)[None] / SAMPLE_RATE
        tail = self._normal(b, length) * torch.exp(-6.9 * t / self._uniform(b, 0.1, 0.7))
        tail = tail * (t > 0.002)
        tail = tail / (tail.norm(dim=1, keepdim=True) + 1e-6)
        ratio = 10.0 ** (-self._uniform(b, 0.0, 14.0) / 20.0) * self._chosen(b, 0.4)
        response = tail * ratio
        response[:, 0] = 1.0
        return torch.fft.rfft(response, size)

    def _noise(self, b: int, n: int, level: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(self._normal(b, n))
        k = torch.arange(spectrum.shape[1], device=self._device)[None]
        slope = self._uniform(b, 0.0, 1.0)
        spectrum = spectrum / torch.clamp(k.float(), min=30.0) ** slope
        noise = torch.fft.irfft(spectrum, n)
        noise = noise / noise.std(dim=1, keepdim=True)
        t = torch.arange(n, device=self._device)[None] / SAMPLE_RATE
        sway = torch.sin(2 * math.pi * (self._uniform(b, 0.1, 8.0) * t + self._uniform(b, 0, 1)))
        noise = noise * (1.0 + self._uniform(b, 0.0, 0.8) * sway * self._chosen(b, 0.4))
        ratio = 10.0 ** (-self._uniform(b, 4.0, 38.0) / 20.0) * self._chosen(b, 0.65)
        return noise * level * ratio

    def _music_bed(self, b: int, n: int, level: Tensor) -> Tensor:
        which = torch.randint(
            len(self._music), (b,), generator=self._generator, device=self._device
        )
        first = int(self._uniform(1, 0.0, SAMPLE_RATE - 1.0).item())
        ratio = 10.0 ** (-self._uniform(b, 6.0, 28.0) / 20.0) * self._chosen(b, 0.4)
        return self._music[which, first : first + n] * level * ratio

    def _wire(self, heard: Tensor) -> Tensor:
        b, n = heard.shape
        spectrum = torch.fft.rfft(heard)
        hz = torch.linspace(0.0, SAMPLE_RATE / 2, spectrum.shape[1], device=self._device)[None]
        low, high = self._uniform(b, 80.0, 350.0), self._uniform(b, 3000.0, 7500.0)
        passed = torch.sigmoid((hz - low) / 20.0) * torch.sigmoid((high - hz) / 100.0)
        used = self._chosen(b, 0.2)
        return torch.fft.irfft(spectrum * (1.0 - used + used * passed), n)
