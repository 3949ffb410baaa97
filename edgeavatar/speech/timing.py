"""From a model's durations to phoneme and word times that fit the sound.

The acoustic models of this package (StyleTTS 2 and VITS descendants) say how long each input symbol
lasted, marks and spaces included. Two things stand between that and the sound: a stress mark or a
space belongs to the phoneme after it, and all boundaries come late by a constant of the model's
family (:class:`Lateness`). What is left, mostly the models' coarse units, is taken out by the sound
itself: pauses are measured, because a phoneme before a pause is given the silence that follows it,
and a boundary moves to the change of sound that is close to it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.speech.base import Unit, Utterance
from edgeavatar.speech.boundaries import Boundary, snap
from edgeavatar.speech.phonemes import SILENCE
from edgeavatar.types import AudioChunk, PhonemeTiming, SpeechChunk, WordTiming

if TYPE_CHECKING:
    from edgeavatar.types import FloatArray

_HOP_S = 0.0025
_WINDOW_S = 0.01
_SILENCE_DB = -40.0
"""Below the loud parts (95th percentile of the windows' power) this counts as silent."""
_MIN_PAUSE_S = 0.06
_UNWRITTEN_PAUSE_S = 0.15
"""Silence that is no phoneme's own: the longest closures of stops in the same voices last 0.1 s."""
_MIN_SOUND_S = 0.01
_KEEP_S = 0.05
"""What a quiet phoneme beside a pause keeps of its own time."""
LEAD_S = 0.1
"""Silence kept before the first sound of each chunk, in seconds."""
_CLOSURE_S = 0.08
_WEAK_ONSET_S = 0.04
_STOPS = ("p", "b", "t", "d", "k", "ɡ", "tʃ", "dʒ", "ʔ")
_WEAK = ("f", "v", "θ", "ð", "h", "m", "n")
_HIDDEN_ONSET_S = dict.fromkeys(_STOPS, _CLOSURE_S) | dict.fromkeys(_WEAK, _WEAK_ONSET_S)
"""How long before it is heard a phoneme begins after a pause. A stop's closure is silent: a little
more than the mean closures of American English, 52 to 69 ms (Byrd 1993), so that lips have time to
close. A weak fricative or a nasal rises from below what counts as silent."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """How far behind the sound a model's boundaries are, in seconds.

    Measured by ``benchmarks/speech.py --offsets`` as the median distance between a boundary and the
    change it stands for: where fricatives begin and end (by the share of the power above 4.5 kHz)
    and where stops and nasals close and nasals open (by the power from 0.9 to 4.5 kHz), all between
    vowels.
    """

    plain_s: float
    """Between two phonemes with nothing between them."""
    marked_s: float
    """Before a stress mark or a space, whose time goes to the phoneme after it."""


STYLETTS2 = Lateness(plain_s=0.062, marked_s=0.045)
"""Kokoro and its descendant hibari: medians of five voices 58 to 66 ms and 42 to 56 ms."""

VITS = Lateness(plain_s=0.030, marked_s=0.013)
"""Piper (joe), with the blank after a phoneme counted to that phoneme: medians 41 ms and 13 ms.
Plain boundaries are of two kinds, fricatives near 26 ms and stops near 57 ms; the figure is nearer
the first, because the closing of a stop is the plainer change and is found from further away."""


@dataclass(slots=True)
class _Span:
    symbol: str
    start: int
    end: int
    stress: int
    word: int
    marked: bool = False
    """Whether a mark or a space comes before it."""


def silent_windows(samples: FloatArray, sample_rate: int) -> tuple[np.ndarray, int]:
    """Find where nothing is heard.

    Parameters
    ----------
    samples : numpy.ndarray
        ``(n,)`` float32.
    sample_rate : int
        Hertz.

    Returns
    -------
    silent : numpy.ndarray
        ``(ceil(n / hop),)`` bool; entry ``i`` speaks of the 10 ms around sample ``i * hop``.
    hop : int
        Samples between entries (2.5 ms).
    """
    hop = max(1, round(_HOP_S * sample_rate))
    window = max(1, round(_WINDOW_S * sample_rate))
    count = -(-len(samples) // hop)
    padded = np.zeros(count * hop + window, np.float64)
    padded[window // 2 : window // 2 + len(samples)] = samples
    total = np.concatenate([[0.0], np.cumsum(padded**2)])
    starts = np.arange(count) * hop
    power = (total[starts + window] - total[starts]) / window
    if count == 0 or power.max() <= 0.0:
        return np.ones(count, bool), hop
    loud = np.percentile(power, 95)
    return power < loud * 10.0 ** (_SILENCE_DB / 10.0), hop


def place(
    utterance: Utterance,
    sample_rate: int,
    *,
    lateness: Lateness,
    start_sample: int,
    first_word: int,
    pause_s: float,
    text: str,
) -> SpeechChunk:
    """Turn a model's utterance into a chunk with its phonemes and words in place.

    Parameters
    ----------
    utterance : Utterance
        Sound and durations as the model gave them.
    sample_rate : int
        Hertz.
    lateness : Lateness
        Of the model's family.
    start_sample : int
        Where the chunk begins in the stream.
    first_word : int
        How many words the stream had before.
    pause_s : float
        Silence after the last sound, in seconds.
    text : str
        The sentence as written.

    Returns
    -------
    SpeechChunk
        Its phonemes cover it from the first to the last sample; silence at both ends is ``"_"``.
    """
    samples = utterance.samples
    silent, hop = silent_windows(samples, sample_rate)
    spans = _shift(_group(utterance.units), lateness, sample_rate, len(samples))
    spans = _with_unwritten_pauses(spans, silent, hop, sample_rate)
    spans = _fit_pauses(spans, silent, hop, sample_rate)
    _fit_sounds(spans, samples, sample_rate)

    sounding = [s for s in spans if s.symbol != SILENCE]
    first, last = (sounding[0].start, sounding[-1].end) if sounding else (0, 0)
    # Where the model begins to speak at once, silence is put before its sound: cut is negative.
    lead = round(LEAD_S * sample_rate)
    cut = first - lead
    pause = round(pause_s * sample_rate)
    length = last - cut + pause
    audio: FloatArray = np.zeros(length, np.float32)
    body = samples[max(0, cut) : last + pause]
    audio[max(0, -cut) : max(0, -cut) + len(body)] = body
    _fade_out(audio, last - cut, sample_rate)

    shift = start_sample - cut
    heard = [s for s in spans if first <= s.start < s.end <= last]
    order = sorted({s.word for s in heard if s.word >= 0})
    number = {word: first_word + i for i, word in enumerate(order)}
    phonemes = [PhonemeTiming(SILENCE, start_sample, start_sample + lead)]
    phonemes += [
        PhonemeTiming(s.symbol, s.start + shift, s.end + shift, s.stress, number.get(s.word, -1))
        for s in heard
    ]
    if pause:
        phonemes.append(PhonemeTiming(SILENCE, last + shift, start_sample + length))
    words = tuple(
        WordTiming(
            utterance.words[word],
            min(s.start for s in heard if s.word == word) + shift,
            max(s.end for s in heard if s.word == word) + shift,
        )
        for word in order
    )
    return SpeechChunk(AudioChunk(audio, sample_rate, start_sample), text, tuple(phonemes), words)


def _group(units: tuple[Unit, ...]) -> list[_Span]:
    """Join marks and spaces to the phoneme after them, or to the pause before them."""
    spans: list[_Span] = []
    position = 0
    pending = 0
    for unit in units:
        if unit.symbol == "":
            if spans and pending == 0 and spans[-1].symbol == SILENCE and unit.stress == 0:
                spans[-1].end += unit.duration
            else:
                pending += unit.duration
            position += unit.duration
            continue
        if unit.symbol == SILENCE and spans and spans[-1].symbol == SILENCE:
            spans[-1].end += pending + unit.duration
        else:
            spans.append(
                _Span(
                    unit.symbol,
                    position - pending,
                    position + unit.duration,
                    unit.stress,
                    unit.word,
                    marked=pending > 0,
                )
            )
        position += unit.duration
        pending = 0
    if spans and pending:
        spans[-1].end += pending
    return spans


def _shift(spans: list[_Span], lateness: Lateness, sample_rate: int, length: int) -> list[_Span]:
    """Move all inner boundaries earlier, each by what its kind is late."""
    previous = 0
    for i, span in enumerate(spans):
        following = spans[i + 1] if i + 1 < len(spans) else None
        span.start = previous
        if following is None:
            span.end = length
        else:
            late_s = lateness.marked_s if following.marked else lateness.plain_s
            span.end = max(previous, span.end - round(late_s * sample_rate))
        previous = span.end
    return spans


def _with_unwritten_pauses(
    spans: list[_Span], silent: np.ndarray, hop: int, sample_rate: int
) -> list[_Span]:
    """Put pauses where a voice stops for breath without a mark in the text.

    The model counts such a pause to the phoneme before or after it, and a mouth would hang open.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], silent.astype(np.int8), [0]])))
    found = list(spans)
    for first, last in edges.reshape(-1, 2):
        start, end = int(first) * hop, int(last) * hop
        touched = [s for s in found if s.start < end and s.end > start]
        if (
            end - start < _UNWRITTEN_PAUSE_S * sample_rate
            or not touched
            or any(s.symbol == SILENCE for s in touched)
        ):
            continue
        middle = (start + end) // 2
        split = next((s for s in touched if s.end > middle), touched[-1])
        at = found.index(split)
        if middle > (split.start + split.end) // 2:
            pause = _Span(SILENCE, middle, split.end, 0, -1)
            split.end = middle
            found.insert(at + 1, pause)
        else:
            pause = _Span(SILENCE, split.start, middle, 0, -1)
            split.start = middle
            found.insert(at, pause)
    return found


def _fit_pauses(spans: list[_Span], silent: np.ndarray, hop: int, sample_rate: int) -> list[_Span]:
    """Give each pause the silence that is really there, and drop pauses that are none.

    A pause begins where the sound before it dies away and ends where the next sound begins, less
    what cannot be heard of it.
    """
    shortest = round(_MIN_PAUSE_S * sample_rate)
    keep = round(_KEEP_S * sample_rate)
    for i, span in enumerate(spans):
        if span.symbol != SILENCE:
            continue
        before = spans[i - 1] if i > 0 else None
        after = spans[i + 1] if i + 1 < len(spans) else None
        # However quiet, a phoneme keeps some time: a final stop may be all closure.
        low = before.start + min(keep, before.end - before.start) if before else 0
        high = after.end - min(keep, after.end - after.start) if after else span.end
        run = _silent_run(silent, hop, low, high, (span.start + span.end) // 2)
        if before is None:
            run = (0, run[1])
        if after is None:
            run = (run[0], high)
        start, end = run
        if after:
            end = max(start, end - round(_HIDDEN_ONSET_S.get(after.symbol, 0.0) * sample_rate))
        if before is not None and after is not None and end - start < shortest:
            start = end = min(max((span.start + span.end) // 2, low), high)
        if before:
            before.end = start
        if after:
            after.start = end
        span.start, span.end = start, end
    return [s for s in spans if s.end > s.start]


def _fit_sounds(spans: list[_Span], samples: FloatArray, sample_rate: int) -> None:
    """Move boundaries between sounds to where the sound changes."""
    half = round(_MIN_SOUND_S * sample_rate / 2)
    pairs = [
        (a, b) for a, b in itertools.pairwise(spans) if a.symbol != SILENCE and b.symbol != SILENCE
    ]
    # Neither boundary of a phoneme passes its middle, so that none of them vanishes.
    boundaries = [
        Boundary(a.end, (a.start + a.end) // 2 + half, (b.start + b.end) // 2 - half)
        for a, b in pairs
    ]
    found = snap(samples, sample_rate, boundaries)
    for (a, b), position in zip(pairs, found, strict=True):
        a.end = b.start = position


def _silent_run(silent: np.ndarray, hop: int, low: int, high: int, middle: int) -> tuple[int, int]:
    """Longest silent stretch within ``[low, high)``; empty at ``middle`` if there is none."""
    a, b = low // hop, min(len(silent), -(-high // hop))
    best = (middle, middle)
    run_start = -1
    for i in range(a, b + 1):
        quiet = i < b and bool(silent[i])
        if quiet and run_start < 0:
            run_start = i
        elif not quiet and run_start >= 0:
            start, end = max(low, run_start * hop), min(high, i * hop)
            if end - start > best[1] - best[0]:
                best = (start, end)
            run_start = -1
    return best


def _fade_out(audio: np.ndarray, last: int, sample_rate: int) -> None:
    """Fade the noise of the pause to digital silence within 30 ms after the last sound."""
    length = min(len(audio) - last, round(0.03 * sample_rate))
    if length > 0:
        audio[last : last + length] *= np.linspace(1.0, 0.0, length, dtype=np.float32)
    audio[last + length :] = 0.0
