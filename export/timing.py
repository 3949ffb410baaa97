"""How long nets take beside each other on a machine that does other things as well."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Timing:
    """Of one contender."""

    p50_ms: float
    p95_ms: float
    speedup: float
    """Median, over rounds, of the first contender's time over this one's."""


def paired(contenders: Mapping[str, Callable[[], object]], rounds: int = 60) -> dict[str, Timing]:
    """Let contenders take turns and time each turn.

    What slows the machine down slows all of a round down, so ratios within rounds are steadier than
    times.

    Parameters
    ----------
    contenders
        By name; the first is what the others are compared with.
    rounds
        Turns of each.
    """
    for run in contenders.values():
        for _ in range(WARM_UP):
            run()
    times = {name: np.zeros(rounds) for name in contenders}
    order = list(contenders.items())
    for i in range(rounds):
        # Nobody always comes after the same one, whose data would lie in the cache.
        for name, run in order if i % 2 == 0 else reversed(order):
            start = time.perf_counter()
            run()
            times[name][i] = time.perf_counter() - start
    base = next(iter(times.values()))
    return {
        name: Timing(
            1000.0 * float(np.median(took)),
            1000.0 * float(np.percentile(took, 95)),
            float(np.median(base / took)),
        )
        for name, took in times.items()
    }
