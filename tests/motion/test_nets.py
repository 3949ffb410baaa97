from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edgeavatar.errors import IntegrityError
from edgeavatar.motion.mel import N_MELS
from edgeavatar.motion.nets import HEARD, LISTENER_DELAY, StreamedNet, open_listener, open_mouth


class Delayed:
    """A session that gives its input back two rows late, and nothing else."""

    path = Path("delayed.onnx")

    def __init__(self, columns: int = 3) -> None:
        self.inputs = (
            SimpleNamespace(name="rows", shape=(1, None, columns)),
            SimpleNamespace(name="state", shape=(1, columns, 2)),
        )
        self.outputs = (
            SimpleNamespace(name="out", shape=(1, None, columns)),
            SimpleNamespace(name="next_state", shape=(1, columns, 2)),
        )
        self.longest = 0

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.longest = max(self.longest, feeds["rows"].shape[1])
        all_rows = np.concatenate([feeds["state"][0].T, feeds["rows"][0]])
        return {"out": all_rows[None, :-2], "next_state": all_rows[-2:].T[None]}


@pytest.mark.parametrize("size", [1, 3, 450, 1000])
def test_rows_come_out_where_they_went_in(size: int) -> None:
    session = Delayed()
    net = StreamedNet(session, 3, 3, 2, np.zeros(3, np.float32))  # type: ignore[arg-type]
    rows = np.random.default_rng(0).random((1000, 3)).astype(np.float32)
    out = [net.push(rows[i : i + size]) for i in range(0, len(rows), size)]
    np.testing.assert_array_equal(np.concatenate([*out, net.flush()]), rows)
    assert session.longest <= 200


def test_other_graphs_are_refused() -> None:
    with pytest.raises(IntegrityError, match=r"expected rows \(1, n, 4\)"):
        StreamedNet(Delayed(), 4, 3, 2, np.zeros(4, np.float32))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 17, 200])
def test_the_listener_hears_the_same_in_pieces(size: int) -> None:
    rows = np.random.default_rng(0).uniform(-2.5, 1.0, (300, N_MELS)).astype(np.float32)
    with open_listener() as net:
        whole = np.concatenate([net.push(rows), net.flush()])
    with open_listener() as net:
        parts = [net.push(rows[i : i + size]) for i in range(0, len(rows), size)]
        cut = np.concatenate([*parts, net.flush()])
    assert whole.shape == (300, HEARD)
    np.testing.assert_allclose(cut, whole, atol=1e-4)
    np.testing.assert_allclose(whole[:, :-1].sum(axis=1), 1.0, atol=1e-4)


def test_the_listener_looks_no_further_ahead_than_it_says() -> None:
    rows = np.random.default_rng(0).uniform(-2.5, 1.0, (100, N_MELS)).astype(np.float32)
    other = rows.copy()
    other[60:] = 0.5
    found = []
    for given in (rows, other):
        with open_listener() as net:
            found.append(np.concatenate([net.push(given), net.flush()]))
    first = int(np.flatnonzero(np.abs(found[0] - found[1]).max(axis=1) > 1e-5)[0])
    assert first == 60 - LISTENER_DELAY


def test_a_silent_mouth_rests() -> None:
    silence = np.zeros((150, HEARD), np.float32)
    silence[:, 0] = 1.0
    with open_mouth() as net:
        moved = np.concatenate([net.push(silence), net.flush()])
    assert moved.shape == (150, 9)
    # Jaw and gap, in weights and face heights: less than can be seen.
    assert np.abs(moved[:, 0]).max() < 0.02
    assert np.abs(moved[:, 1]).max() < 0.006
