"""Stretches of speech as a recogniser likes them: neither endless nor torn apart."""

from __future__ import annotations

LONGEST_S = 15.0
"""Stretches are joined up to this length: of 15, 20 and 25 s, the readings of the tests were
recognised best with the first."""
JOINED_PAUSE_S = 1.0
"""Stretches with no longer a pause between them are one: a recogniser that sees the whole sentence
makes fewer errors. Of 0, 0.3, 0.6 and 1 s, the longest was the best (word error 7.6 to 0.8 %)."""

UNBROKEN_S = 20.0
"""Speech without any pause is parted after this time, so that memory stays bounded."""
_SPEAKING = 0.35
"""Probability from which on the detector goes on to see speech, by its authors' default."""
_PARTING_HOPS = 4
"""Windows of 32 ms that end a stretch: the detector waits for 100 ms of silence. The recogniser is
shown 130 ms on either side of a stretch, so that nothing is lost."""


class Parter:
    """Speech probabilities, with a short silence put into speech that does not end.

    The silence takes the place of the least likely 128 ms of the second half of the time.

    Parameters
    ----------
    hop_s : float
        Seconds of sound that a probability speaks of.
    unbroken_s : float
        Longest speech that is left as it is.
    """

    def __init__(self, hop_s: float, unbroken_s: float = UNBROKEN_S) -> None:
        self._most = max(2 * _PARTING_HOPS, round(unbroken_s / hop_s))
        self._held: list[float] = []

    def push(self, probability: float) -> list[float]:
        """Take the next probability; give those that are settled, in the order they came.

        Those of speech are settled when it ends, or after ``unbroken_s``.
        """
        self._held.append(probability)
        if probability < _SPEAKING:
            return self.flush()
        if len(self._held) < self._most:
            return []
        held = self._held
        starts = range(len(held) // 2, len(held) - _PARTING_HOPS + 1)
        at = min(starts, key=lambda i: sum(held[i : i + _PARTING_HOPS]))
        self._held = held[at + _PARTING_HOPS :]
        return [*held[:at], *[0.0] * _PARTING_HOPS]

    def flush(self) -> list[float]:
        """Give all that are held."""
        held, self._held = self._held, []
        return held


class Joiner:
    """Stretches joined where only a short pause is between them, up to a length.

    Parameters
    ----------
    sample_rate : int
        Hertz.
    pause_s, longest_s : float
        Longest pause within a stretch, and longest stretch that results from joining.
    """

    def __init__(
        self, sample_rate: int, pause_s: float = JOINED_PAUSE_S, longest_s: float = LONGEST_S
    ) -> None:
        self._pause = round(pause_s * sample_rate)
        self._longest = round(longest_s * sample_rate)
        self._held: tuple[int, int] | None = None

    @property
    def waiting(self) -> bool:
        """Whether a stretch is held that may still be joined."""
        return self._held is not None

    def push(self, start: int, end: int) -> tuple[int, int] | None:
        """Take the next stretch, in samples; give one that cannot be joined with it."""
        held = self._held
        if held is not None and start - held[1] <= self._pause and end - held[0] <= self._longest:
            self._held = held[0], end
            return None
        self._held = start, end
        return held

    def quiet_at(self, position: int) -> tuple[int, int] | None:
        """Be told that nobody speaks at a sample; give the stretch that the pause is too long for.

        A stretch that begins in a moment, earlier than it was noticed, is allowed for by the
        caller.
        """
        if self._held is None or position - self._held[1] <= self._pause:
            return None
        return self.flush()

    def flush(self) -> tuple[int, int] | None:
        """Give the stretch that is held."""
        held, self._held = self._held, None
        return held
