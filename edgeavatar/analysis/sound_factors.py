"""What in a sound will spoil the mouth that follows it, and from where on.

Bounds are where, on speech that ``benchmarks/degraded_sound.py`` spoils step by step, the lip gap
no longer follows that of the clean sound (r below 0.9: warn), or follows it no better than opening
the mouth by loudness alone would (bad). See ``docs/analysis-sound.md`` for the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edgeavatar.analysis.results import Factor

if TYPE_CHECKING:
    from edgeavatar.analysis.results import Verdict
    from edgeavatar.analysis.sound_findings import SoundFindings, Spans


@dataclass(frozen=True, slots=True)
class _Rule:
    """How one factor is judged; worse is up if ``bad_at`` is above ``warn_at``, else down."""

    name: str
    title: str
    unit: str
    warn_at: float | None
    bad_at: float | None
    why: str
    warned: str
    """Effect on the result from ``warn_at`` on."""
    spoilt: str
    """Effect from ``bad_at`` on."""
    advice: str


SPEECH: Final = _Rule(
    "speech",
    "Speech in the sound",
    "s",
    2.0,
    0.25,
    "the detector drops what is shorter than 0.25 s; for noise and room, some 2 s are needed",
    "there is so little speech that noise and room can hardly be told",
    "the mouth stays shut",
    "check that this is the right recording, and that its sound is not muted",
)
NOISE: Final = _Rule(
    "noise",
    "Noise beside the speech",
    "dB",
    None,
    None,
    "",
    "",
    "",
    "record in a quieter place or nearer to the microphone, or remove the noise first",
)
CLIPPING: Final = _Rule(
    "clipping",
    "Peaks that are cut off",
    "",
    None,
    None,
    "",
    "",
    "",
    "turn the recording level down and record again: what is cut off cannot be brought back",
)
BANDWIDTH: Final = _Rule(
    "bandwidth",
    "Bandwidth of the speech",
    "Hz",
    None,
    None,
    "",
    "",
    "",
    "use the original recording rather than a telephone's or a heavily compressed copy",
)
REVERBERATION: Final = _Rule(
    "reverberation",
    "Reverberation of the room",
    "s",
    None,
    None,
    "",
    "",
    "",
    "record nearer to the microphone, or in a room with carpets, curtains and furniture",
)
LOUDNESS: Final = _Rule(
    "loudness",
    "Loudness",
    "LUFS",
    None,
    None,
    "",
    "",
    "",
    "turn the sound up, or record at a higher level",
)
MUSIC: Final = _Rule(
    "music",
    "Music where nobody speaks",
    "",
    None,
    None,
    "",
    "",
    "",
    "give the voice without the music, and mix the music in afterwards",
)


def sound_factors(findings: SoundFindings) -> tuple[Factor, ...]:
    """Judge a sound.

    Parameters
    ----------
    findings : SoundFindings
        Of :func:`edgeavatar.pipeline.sound_analysis.analyse_sound`; words are not needed.

    Returns
    -------
    tuple of Factor
        Of group ``sound``, always the same names in the same order: ``speech``, ``noise``,
        ``clipping``, ``bandwidth``, ``reverberation``, ``loudness``, ``music``. What could not be
        measured is ``unknown``.
    """
    speech = findings.speech
    spoken_s = speech.speech_share * findings.duration_s
    silent = findings.duration_s > 0.0 and speech.loudness_lufs is None
    return (
        _factor(SPEECH, spoken_s),
        _factor(NOISE, speech.snr_db),
        _factor(CLIPPING, speech.clipped_share, findings.clipped_spans_s),
        _factor(BANDWIDTH, speech.bandwidth_hz),
        _factor(REVERBERATION, speech.reverberation_s),
        _factor(LOUDNESS, SILENT_LUFS if silent else speech.loudness_lufs),
        _factor(MUSIC, findings.music_share, findings.music_spans_s),
    )


SILENT_LUFS: Final = -70.0
"""Stands for sound of which no loudness can be measured: the gate of BS.1770."""


def _factor(rule: _Rule, value: float | None, times_s: Spans = ()) -> Factor:
    verdict = _verdict(rule, value)
    spoilt = verdict in ("warn", "bad")
    return Factor(
        name=rule.name,
        title=rule.title,
        group="sound",
        verdict=verdict,
        value=value,
        unit=rule.unit,
        warn_at=rule.warn_at,
        bad_at=rule.bad_at,
        why=rule.why,
        effect={"warn": rule.warned, "bad": rule.spoilt}.get(verdict, ""),
        advice=rule.advice if spoilt else "",
        times_s=times_s if spoilt else (),
    )


def _verdict(rule: _Rule, value: float | None) -> Verdict:
    if value is None:
        return "unknown"
    up = rule.warn_at is None or rule.bad_at is None or rule.bad_at > rule.warn_at
    for verdict, limit in (("bad", rule.bad_at), ("warn", rule.warn_at)):
        if limit is not None and (value >= limit if up else value <= limit):
            return "bad" if verdict == "bad" else "warn"
    return "good"
