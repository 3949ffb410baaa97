"""What runs best on this machine: measured once, written down, used from then on.

A profile says for each model which file (fp32, int8 ...), which backend and how many threads were
fastest here among those that compute the same. :mod:`edgeavatar.tuning.settings` turns it into what
sessions are opened with, :mod:`edgeavatar.tuning.run` makes one.
"""

from __future__ import annotations

from edgeavatar.tuning.settings import Tuning, load_tuning

__all__ = ["Tuning", "load_tuning"]
