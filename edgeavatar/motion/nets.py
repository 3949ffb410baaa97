"""The two motion nets, open: one hears phones, the other moves the mouth by them.

Both are causal and late by a fixed number of rows, and what they remember is a tensor that goes in
and comes out, so a stream may be pushed through in pieces of any size. Their definitions and how
they were trained are in ``export/nets/motion.py``, ``export/train`` and ``models/cards``.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar import zoo
from edgeavatar.errors import IntegrityError
from edgeavatar.motion.hearing import SILENT_ROW
from edgeavatar.motion.mel import N_MELS
from edgeavatar.motion.phones import PHONES
from edgeavatar.motion.visemes import ARTICULATORS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from edgeavatar.backends.base import Session, TunedModels
    from edgeavatar.types import FloatArray

LISTENER, MOUTH = "motion_listener.onnx", "motion_mouth.onnx"
LISTENER_DELAY = 6
"""Rows of 10 ms by which phones come after the sound that they are heard in."""
MOUTH_DELAY = 4
"""Rows by which the movement comes after the phones."""
HEARD = len(PHONES) + 1
"""Columns between the nets: phone probabilities, then loudness."""

_AT_ONCE = 200
"""Most rows given to a net in one call, so that its buffers stay small."""


class StreamedNet:
    """A net over rows of a stream.

    What is pushed comes out ``delay`` rows later, so that row ``i`` of all that comes out belongs
    to row ``i`` of all that went in.

    Parameters
    ----------
    session : Session
        With inputs ``rows (1, n, inputs)`` and ``state``, outputs ``out (1, n, outputs)`` and
        ``next_state``.
    inputs, outputs : int
        Columns.
    delay : int
        Rows.
    silence : numpy.ndarray
        ``(inputs,)``: what follows the end of a stream.

    Raises
    ------
    IntegrityError
        The graph has other tensors.
    """

    def __init__(
        self, session: Session, inputs: int, outputs: int, delay: int, silence: FloatArray
    ) -> None:
        shapes = {spec.name: spec.shape for spec in (*session.inputs, *session.outputs)}
        state = shapes.get("state")
        if (
            shapes.get("rows") != (1, None, inputs)
            or (shapes.get("out") or ())[2:] != (outputs,)
            or state is None
            or None in state
        ):
            raise IntegrityError(
                f"{session.path}: expected rows (1, n, {inputs}), out (1, n, {outputs}) and a "
                f"state of fixed shape, found {shapes}; reinstall edgeavatar"
            )
        self._session = session
        self._state: npt.NDArray[np.float32] = np.zeros([n or 0 for n in state], np.float32)
        self._silence = silence.astype(np.float32)
        self._outputs = outputs
        self._delay = delay
        # Before a stream begins there was silence, which is not what zeros mean.
        self._early = 0
        before = np.repeat(self._silence[None], self._state.shape[-1], axis=0)
        self.push(before)
        self._early = delay

    def push(self, rows: FloatArray) -> FloatArray:
        """Take the next ``(n, inputs)`` rows and return ``(k, outputs)`` that are ready."""
        parts = [np.zeros((0, self._outputs), np.float32)]
        for first in range(0, len(rows), _AT_ONCE):
            part = np.ascontiguousarray(rows[None, first : first + _AT_ONCE], np.float32)
            made = self._session.run({"rows": part, "state": self._state})
            self._state = made["next_state"]
            parts.append(made["out"][0])
        out: FloatArray = np.concatenate(parts)
        drop = min(self._early, len(out))
        self._early -= drop
        return out[drop:]

    def flush(self) -> FloatArray:
        """Return what belongs to the last rows; nothing may follow."""
        return self.push(np.repeat(self._silence[None], self._delay, axis=0))


@contextmanager
def open_listener(tuned: TunedModels | None = None) -> Iterator[StreamedNet]:
    """Open the net from heard rows ``(n, 80)`` to phones and loudness ``(n, 38)``.

    Parameters
    ----------
    tuned
        See :func:`edgeavatar.backends.open_session`.
    """
    silence = np.full(N_MELS, SILENT_ROW, np.float32)
    with _open(zoo.own_file(LISTENER), tuned) as session:
        yield StreamedNet(session, N_MELS, HEARD, LISTENER_DELAY, silence)


@contextmanager
def open_mouth(tuned: TunedModels | None = None) -> Iterator[StreamedNet]:
    """Open the net from phones and loudness ``(n, 38)`` to articulators ``(n, 9)``.

    Parameters
    ----------
    tuned
        See :func:`edgeavatar.backends.open_session`.
    """
    silence = np.zeros(HEARD, np.float32)
    silence[0] = 1.0
    with _open(zoo.own_file(MOUTH), tuned) as session:
        yield StreamedNet(session, HEARD, len(ARTICULATORS), MOUTH_DELAY, silence)


def _open(path: Path, tuned: TunedModels | None) -> Session:
    from edgeavatar.backends import open_session

    if tuned is not None and path in tuned:
        return open_session(path, tuned=tuned)
    # One thread and one backend: the same words make the same numbers, and threads cost more
    # than they bring to a net this small.
    return open_session(path, backend="onnxruntime", threads=1)
