"""What in a sound will spoil the mouth that follows it, and from where on.

Bounds are where, on speech that ``benchmarks/degraded_sound.py`` spoils step by step, the lip gap
no longer follows that of the clean sound (r below 0.9: warn), or follows it no better than opening
the mouth by loudness alone would (bad). See ``docs/analysis-sound.md`` for the tables.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    "the detector drops what is shorter than 0.25 s; to know noise and room, some 2 s are needed, "
    "but of a short sound that is speech for a quarter of its time no more can be had",
    "there is so little speech that noise and room can hardly be told",
    "the mouth stays shut",
    "check that this is the right recording, and that its sound is not muted",
)
NOISE: Final = _Rule(
    "noise",
    "Noise beside the speech",
    "dB",
    8.0,
    -1.0,
    "speech mixed with white noise, a fan and music: wrong words go from 2 in 100 to 9 between 15 "
    "and 5 dB; the lip gap follows that of the clean sound by less than r .9 from 2.5 dB on, and "
    "no better than by loudness (r .72) from -1 dB on",
    "words in subtitles and transcripts will be wrong, and some of the mouth's closures are missed",
    "the mouth moves with the noise, or not at all",
    "record in a quieter place or nearer to the microphone, or remove the noise first",
)
VOICES: Final = _Rule(
    "noise",
    "Other voices beside the speech",
    "dB",
    14.0,
    8.5,
    "speech mixed with six other voices: the lip gap follows that of the clean sound by less than "
    "r .9 from 14 dB on, and no better than by loudness (r .72) from 8.5 dB on",
    "the mouth moves in pauses too, with what others say",
    "the mouth moves with what others say as much as with the speaker",
    "record the speaker alone or nearer to the microphone; noise removal does not take out voices",
)
"""In place of :data:`NOISE` where the detector hears no pause."""
CLIPPING: Final = _Rule(
    "clipping",
    "Peaks that are cut off",
    "share",
    0.05,
    0.2,
    "speech with its peaks cut: the lip gap follows that of the whole sound by r .99 at 3 %, .97 "
    "at 10 % and .94 at 30 %, where words begin to be missed, from where on listeners call the "
    "quality unacceptable (Crain and Van Tasell, Ear and Hearing 15, 1994)",
    "the voice sounds harsh; the mouth still follows it",
    "the voice is distorted, and words in subtitles and transcripts will be wrong",
    "turn the recording level down and record again: what is cut off cannot be brought back",
)
BANDWIDTH: Final = _Rule(
    "bandwidth",
    "Bandwidth of the speech",
    "Hz",
    4000.0,
    2000.0,
    "up to 4 kHz it is a telephone's, from which wideband is rated better by some 30 % (Möller and "
    "others, EURASIP J. Audio, Speech, Music Proc. 2010), though the lip gap follows by r .95 or "
    "better; from 2 kHz on it follows by less than r .9, and a word in eight to four is wrong",
    "the voice sounds as by telephone; the mouth still follows it",
    "the voice is muffled, the mouth misses closures, and words in subtitles will be wrong",
    "use the original recording rather than a telephone's or a heavily compressed copy",
)
REVERBERATION: Final = _Rule(
    "reverberation",
    "Reverberation of the room",
    "s",
    0.55,
    1.8,
    "speech in simulated rooms, at 0.5 and 2 m: the lip gap follows that of the clean sound by "
    "less than r .9 from 0.55 s on, and no better than by loudness (r .72) from 1.8 s on",
    "the mouth closes late or not at all: half of the closures are missed at 2 m",
    "the mouth hardly closes, and every second word in subtitles will be wrong",
    "record nearer to the microphone, or in a room with carpets, curtains and furniture",
)
LOUDNESS: Final = _Rule(
    "loudness",
    "Loudness",
    "LUFS",
    -58.0,
    -64.0,
    "speech turned down: the lip gap follows that of full level by r .99 at -50 LUFS, by .80 to "
    ".92 at -60, and the detector no longer hears speech below -64 (EBU R 128 asks for -23)",
    "quiet syllables do not move the mouth",
    "the mouth stays shut",
    "turn the sound up, or record at a higher level",
)
MUSIC: Final = _Rule(
    "music",
    "Music where nobody speaks",
    "share",
    None,
    None,
    "no bound: music alone does not move the mouth, and beside speech it counts as noise; singing "
    "counts as speech",
    "",
    "",
    "",
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
        _factor(_speech_rule(findings.duration_s), spoken_s),
        _factor(NOISE if findings.pauses else VOICES, speech.snr_db),
        _factor(CLIPPING, speech.clipped_share, findings.clipped_spans_s),
        _factor(BANDWIDTH, speech.bandwidth_hz),
        _factor(REVERBERATION, speech.reverberation_s),
        _factor(LOUDNESS, SILENT_LUFS if silent else speech.loudness_lufs),
        _factor(MUSIC, findings.music_share, findings.music_spans_s),
    )


_ENOUGH_SPEECH: Final = 0.25
"""Share of a sound from which it has as much speech as can be asked of its length."""


def _speech_rule(duration_s: float) -> _Rule:
    most, least = SPEECH.warn_at or 0.0, SPEECH.bad_at or 0.0
    return replace(SPEECH, warn_at=round(max(least, min(most, _ENOUGH_SPEECH * duration_s)), 2))


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
