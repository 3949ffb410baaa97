"""When each known phone sounds: the path of highest probability through a listener's rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SLACK_ROWS = 12
"""How far word times may be off."""


def align(
    log_probability: npt.NDArray[np.float32],
    script: list[list[int]],
    words: list[list[float]],
) -> npt.NDArray[np.int8]:
    """Find the phone of each row.

    Parameters
    ----------
    log_probability : numpy.ndarray
        ``(n, phones)`` of each phone in each row, silence in column 0.
    script : list of list of int
        Phones of each word.
    words : list of list of float
        Start and end of each word in seconds, good to 0.1 s.

    Returns
    -------
    numpy.ndarray
        ``(n,)`` int8; 0 is silence, which may come before, between and after words.
    """
    count = len(log_probability)
    phones: list[int] = [0]
    bounds: list[tuple[int, int]] = [(0, count)]
    optional = [True]
    for word, (start, end) in zip(script, words, strict=True):
        low, high = int(start * 100) - SLACK_ROWS, int(end * 100) + SLACK_ROWS
        for phone in word:
            phones.append(phone)
            bounds.append((low, high))
            optional.append(False)
        phones.append(0)
        bounds.append((0, count))
        optional.append(True)
    states = len(phones)
    emit = log_probability[:, phones].copy()
    rows = np.arange(count)[:, None]
    low, high = np.array(bounds).T
    emit[(rows < low) | (rows >= high)] = -40.0
    may_skip = np.array([False, False, *(optional[i - 1] for i in range(2, states))])
    best = np.full(states, -1e9)
    best[:2] = emit[0, :2]
    came = np.zeros((count, states), np.int8)
    for t in range(1, count):
        choices = np.stack([best, np.append(-1e9, best[:-1]), np.append([-1e9] * 2, best[:-2])])
        choices[2, ~may_skip] = -1e9
        came[t] = choices.argmax(axis=0)
        best = choices.max(axis=0) + emit[t]
    state = states - 1 if best[-1] >= best[-2] else states - 2
    path = np.zeros(count, np.int8)
    for t in range(count - 1, -1, -1):
        path[t] = phones[state]
        state -= int(came[t, state])
    return path
