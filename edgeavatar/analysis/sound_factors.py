"""What in a sound will spoil the mouth that follows it, and from where on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeavatar.analysis.results import Factor

if TYPE_CHECKING:
    from edgeavatar.analysis.results import Verdict
    from edgeavatar.analysis.sound_findings import SoundFindings


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
        ``clipping``, ``bandwidth``, ``reverberation``, ``loudness``, ``music``.
    """
    speech = findings.speech
    return (
        _factor("speech", "Speech in the sound", speech.speech_share, "", None, None),
        _factor("noise", "Noise beside the speech", speech.snr_db, "dB", None, None),
        _factor("clipping", "Cut-off peaks", speech.clipped_share, "", None, None),
        _factor("bandwidth", "Bandwidth of the speech", speech.bandwidth_hz, "Hz", None, None),
        _factor("reverberation", "Reverberation", speech.reverberation_s, "s", None, None),
        _factor("loudness", "Loudness", speech.loudness_lufs, "LUFS", None, None),
        _factor("music", "Music", findings.music_share, "", None, None),
    )


def _factor(
    name: str,
    title: str,
    value: float | None,
    unit: str,
    warn_at: float | None,
    bad_at: float | None,
) -> Factor:
    verdict: Verdict = "unknown"
    return Factor(name, title, "sound", verdict, value, unit, warn_at, bad_at, "", "", "")
