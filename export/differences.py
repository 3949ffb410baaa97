"""How far the outputs of one net are from those of another."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from export.recipes.base import Feeds, Runner


def errors(
    run: Runner, feeds: Sequence[Feeds], right: Sequence[dict[str, Any]]
) -> tuple[float, float]:
    """Compare outputs with the right ones.

    Returns
    -------
    largest
        Difference of any value over the largest value of its output.
    rms
        Root of the mean square of the differences over that of the output, of the output where it
        is largest: the ``tolerance`` of the manifest. Both are infinite where a shape is another.
    """
    size = {name: max(float(np.abs(r[name]).max()) for r in right) or 1.0 for name in right[0]}
    largest = 0.0
    away, power = dict.fromkeys(size, 0.0), dict.fromkeys(size, 1e-12)
    for feed, wanted in zip(feeds, right, strict=True):
        made = run(feed)
        for name, value in wanted.items():
            if made[name].shape != value.shape:
                return math.inf, math.inf
            difference = np.abs(made[name].astype(np.float64) - value)
            # A number that is none must not get lost among others.
            difference = np.nan_to_num(difference, nan=np.inf)
            largest = max(largest, float(difference.max()) / size[name])
            away[name] += float((difference**2).mean())
            power[name] += float((value.astype(np.float64) ** 2).mean())
    return largest, max(math.sqrt(away[name] / power[name]) for name in size)


def remembered(run: Runner) -> Runner:
    """Run a net once for each input, however often it is asked.

    Parameters
    ----------
    run
        Gives the same for the same.

    Returns
    -------
    Runner
        Its answers are not to be changed: they are given again.
    """
    answers: dict[bytes, dict[str, Any]] = {}

    def ask(feeds: Feeds) -> dict[str, Any]:
        key = _digest(feeds)
        if key not in answers:
            answers[key] = run(feeds)
        return answers[key]

    return ask


def _digest(feeds: Feeds) -> bytes:
    content = hashlib.blake2b(digest_size=16)
    for name, array in sorted(feeds.items()):
        content.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        content.update(np.ascontiguousarray(array).data)
    return content.digest()
