from __future__ import annotations

import numpy as np
import pytest

from benchmarks.degraded_sound import Outcome, bound, low_pass, room_response, rt60_of


def outcome(kind: str, value: float | None, r: float) -> Outcome:
    measured = {"noise": value, "clipping": value}
    return Outcome("a", kind, 0.0, 0.0, r, (0, 0), 0.0, None, 1, measured, {})


def test_a_bound_lies_between_what_is_seen_and_what_is_not() -> None:
    found = [outcome("white", snr, 0.5 + snr / 40) for snr in (0.0, 5.0, 10.0, 20.0)]
    found.append(outcome("white", None, 0.0))
    assert bound(found, "noise", ("white",), 0.9) == pytest.approx(15.0)
    assert bound(found, "noise", ("white",), 0.1) is None
    worse_above = [outcome("clipping", share, 1.0 - share) for share in (0.0, 0.1, 0.3, 0.5)]
    assert bound(worse_above, "clipping", ("clipping",), 0.8) == pytest.approx(0.2)


@pytest.mark.parametrize("asked_s", [0.35, 0.8])
def test_rooms_are_as_long_as_was_asked(asked_s: float) -> None:
    assert rt60_of(room_response(asked_s, 2.0)) == pytest.approx(asked_s, rel=0.2)


def test_low_pass() -> None:
    times = np.arange(16000) / 16000
    low, high = (np.sin(2 * np.pi * f * times) for f in (1000, 3000))
    assert low_pass((low + high).astype(np.float32), 2000) == pytest.approx(low, abs=0.01)
