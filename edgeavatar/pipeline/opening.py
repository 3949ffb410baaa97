"""Opening everything a render needs, from the names and numbers of its job."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import tee
from typing import TYPE_CHECKING

import edgeavatar
from edgeavatar.audio.decode import decode_audio, sound_duration_s
from edgeavatar.audio.loudness import (
    DEFAULT_LUFS,
    amplify,
    gain_to,
    level_speech,
    measure_stream_lufs,
)
from edgeavatar.audio.mel_windows import MelWindows
from edgeavatar.audio.resample import resample_stream
from edgeavatar.audio.vad import SAMPLE_RATE as HEARING_RATE
from edgeavatar.audio.vad import open_vad
from edgeavatar.errors import UsageError
from edgeavatar.face import FaceTracker, canonical_mesh
from edgeavatar.face.smoothing import smooth_offline
from edgeavatar.motion.acoustics import audio_rows
from edgeavatar.motion.coarticulation import phoneme_rows
from edgeavatar.motion.expression import sound_expression, speech_expression
from edgeavatar.motion.style import style_named
from edgeavatar.motion.track_file import read_track
from edgeavatar.pipeline.faces import Acquaintance, FaceTrack
from edgeavatar.pipeline.job import UNPAINTED
from edgeavatar.pipeline.picture import FilmedPicture, PhotoPicture, Picture
from edgeavatar.pipeline.words import RecordedSpeech, SilentTrack, SpokenText, TrackedSound, Words
from edgeavatar.rendering.basis import load_basis
from edgeavatar.rendering.dentition import fit_anatomy
from edgeavatar.rendering.dentition_fit import fit_dentition
from edgeavatar.rendering.geometric import GeometricRenderer
from edgeavatar.rendering.interior import InteriorModel
from edgeavatar.rendering.neural import NeuralRenderer, open_painter, reference_mouth
from edgeavatar.rendering.wav2lip import Wav2LipRenderer, open_generator
from edgeavatar.speech import find_voice, open_voice
from edgeavatar.trust.label import Label, container_tags, draw_label
from edgeavatar.types import Frame
from edgeavatar.video.source import open_source
from edgeavatar.video.writer import AUDIO_RATE_HZ, VideoWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edgeavatar.backends.base import BackendChoice, DeviceChoice, TunedModels
    from edgeavatar.pipeline.job import RenderJob, WordsJob
    from edgeavatar.rendering.geometric import MouthRenderer
    from edgeavatar.rendering.neural import PainterSize
    from edgeavatar.types import SpeechChunk

_LANGUAGES = {
    "en": "eng",
    "es": "spa",
    "fr": "fra",
    "hi": "hin",
    "it": "ita",
    "ja": "jpn",
    "pt": "por",
    "zh": "zho",
}
"""Languages of the voices, in ISO 639-1 and 639-2."""


@contextmanager
def open_words(
    job: WordsJob,
    hear: Callable[[SpeechChunk], None] | None = None,
    *,
    head: int | None = None,
    heard: bool = False,
    tuned: TunedModels | None = None,
) -> Iterator[Words]:
    """Open the voice or the recording of a job, and its motion track.

    Parameters
    ----------
    job
        Whose words.
    hear
        Called with each piece of speech that a voice gives, as it is made.
    head
        Seed of a head that is to move with the words; None if none is.
    heard
        Whether their sound is asked for as spectra, by
        :meth:`~edgeavatar.pipeline.words.Words.mel_at`. Not where a track is followed.
    tuned
        See :func:`edgeavatar.backends.open_session`.
    """
    style = style_named(job.style, job.articulation)
    track = None if job.motion is None else read_track(job.motion)
    with ExitStack() as stack:
        if job.text is not None:
            voice = open_voice(
                job.voice,
                backend=job.backend,
                device=job.device,
                threads=job.threads,
                tuned=tuned,
            )
            stack.callback(voice.close)
            chunks = voice.synthesize(job.text, rate=job.rate)
            target = DEFAULT_LUFS if job.volume_lufs is None else job.volume_lufs
            chunks = _overheard(level_speech(chunks, target), hear)
            expressions = None
            if head is not None:
                chunks, seen = tee(chunks)
                expressions = speech_expression(seen, head, style)
            if track is not None:
                spoken = (chunk.audio for chunk in chunks)
                yield TrackedSound(
                    spoken,
                    voice.info.sample_rate,
                    track,
                    voice=voice.info.name,
                    expressions=expressions,
                )
                return
            yield SpokenText(
                chunks,
                partial(phoneme_rows, articulation=style.mouth, tuned=tuned),
                voice.info.sample_rate,
                len(job.text),
                voice.info.name,
                expressions,
                MelWindows(voice.info.sample_rate) if heard else None,
            )
        elif job.audio is None:
            assert track is not None  # the check of every job
            yield SilentTrack(track)
        else:
            sound = decode_audio(job.audio, AUDIO_RATE_HZ)
            if job.volume_lufs is not None:
                found_lufs = measure_stream_lufs(decode_audio(job.audio, AUDIO_RATE_HZ))
                sound = amplify(sound, gain_to(job.volume_lufs, found_lufs))
            expressions = None
            if head is not None:
                sound, seen_sound = tee(sound)
                expressions = sound_expression(
                    resample_stream(seen_sound, HEARING_RATE), head, style
                )
            if track is not None:
                yield TrackedSound(
                    sound,
                    AUDIO_RATE_HZ,
                    track,
                    sound_duration_s(job.audio),
                    expressions=expressions,
                )
                return
            detector = open_vad(tuned)
            stack.callback(detector.close)
            yield RecordedSpeech(
                sound,
                lambda chunks: resample_stream(chunks, HEARING_RATE),
                partial(audio_rows, articulation=style.mouth, tuned=tuned),
                detector,
                AUDIO_RATE_HZ,
                sound_duration_s(job.audio),
                expressions,
                MelWindows(AUDIO_RATE_HZ) if heard else None,
            )


def _overheard(
    chunks: Iterable[SpeechChunk], hear: Callable[[SpeechChunk], None] | None
) -> Iterator[SpeechChunk]:
    for chunk in chunks:
        if hear is not None:
            hear(chunk)
        yield chunk


@contextmanager
def open_picture(job: RenderJob) -> Iterator[Picture]:
    """Open the photo or video of a job."""
    source = open_source(job.source)
    if isinstance(source, Frame):
        yield PhotoPicture(source, job.fps, still=job.still)
    else:
        with source:
            if job.fps is not None:
                raise UsageError(
                    f"--fps is for photos, and {job.source} is a video that keeps its own frame "
                    "times; leave --fps out"
                )
            yield FilmedPicture(source, job.fit)


@contextmanager
def open_faces(job: RenderJob, tuned: TunedModels | None = None) -> Iterator[FaceTrack]:
    """Open the face models of a job."""
    with ExitStack() as stack:
        backend, device, notes = _for_faces(job)
        tracker = FaceTracker(
            choice=job.face, backend=backend, device=device, threads=job.threads, tuned=tuned
        )
        stack.callback(tracker.close)
        track = FaceTrack(tracker, smooth_offline, load_basis(), notes)
        stack.callback(track.close)
        yield track


def _for_faces(job: RenderJob) -> tuple[BackendChoice, DeviceChoice, list[str]]:
    """Backend and device of the face models, and what to tell if they are not those asked for.

    The models are TensorFlow Lite files, which only OpenVINO reads; the voice goes by the choice.
    """
    backend, device, notes = job.backend, job.device, []
    if backend == "onnxruntime":
        backend = "openvino"
        notes.append("the face models ran on openvino: onnxruntime does not read TensorFlow Lite")
    if device in ("cuda", "tensorrt"):
        notes.append(f"the face models ran on cpu: openvino has no device {device}")
        device = "cpu"
    return backend, device, notes


@contextmanager
def open_renderer(
    job: RenderJob, known: Acquaintance, words: Words, tuned: TunedModels | None = None
) -> Iterator[tuple[MouthRenderer, dict[str, str]]]:
    """Open what paints the mouth of one person in one light, and tell what its net runs on."""
    person = known.person
    anatomy, light = fit_anatomy(person.lip_line_cm, person.mouth_width_cm), known.light
    # A net that is shown the person's own mouth gains most; else it costs more than it gives.
    shown = known.open_mouth
    chosen = job.renderer
    if chosen == "auto":
        chosen = "geometric" if shown is None else "neural"
    painted = chosen not in UNPAINTED
    anatomy, light = fit_dentition(known.teeth, anatomy, light)
    interior, seen = InteriorModel(anatomy), bool(known.teeth)
    triangles = canonical_mesh().triangles
    if chosen == "wav2lip":
        assert job.renderer_model is not None  # RenderJob.check
        with open_generator(job.renderer_model, job.backend, job.device, job.threads) as net:
            yield (
                Wav2LipRenderer(person, triangles, interior, light, net, words.mel_at),
                {"painter": f"{net.backend} on {net.device}: {net.reason}"},
            )
        return
    if not painted:
        yield GeometricRenderer(person, triangles, interior, light, teeth_seen=seen), {}
        return
    size: PainterSize = "small" if chosen == "neural-small" else "full"
    painter = open_painter(job.backend, job.device, job.threads, size=size, tuned=tuned)
    try:
        told = f"{painter.backend} on {painter.device}: {painter.reason}"
        reference = None
        if shown is not None:
            frame, face = shown
            reference = reference_mouth(frame, face, person.lip_line_cm)
        yield (
            NeuralRenderer(person, triangles, interior, light, painter, reference, teeth_seen=seen),
            {"painter": told},
        )
    finally:
        painter.close()


def open_label(job: RenderJob, picture: Picture) -> Label | None:
    """Draw the label of a job in the size of its picture."""
    if job.label is None:
        return None
    info = picture.info
    return draw_label(job.label, info.width, info.height, info.colour)


def open_result(job: RenderJob, picture: Picture, words: Words) -> VideoWriter:
    """Begin the file of a job."""
    info = picture.info
    return VideoWriter(
        job.output,
        info.width,
        info.height,
        rate=info.rate,
        time_base=picture.time_base,
        colour=info.colour,
        sample_aspect_ratio=picture.sample_aspect_ratio,
        audio_rate=words.sample_rate,
        crf=job.crf,
        preset=job.preset,
        encoder=job.encoder,
        metadata=container_tags(edgeavatar.__version__, job.label),
        subtitles=_language(words) if "track" in job.subtitles else None,
    )


def _language(words: Words) -> str:
    """Language of the words, in ISO 639-2."""
    if words.voice is None:
        return "eng"  # the recogniser knows no other
    language = find_voice(words.voice).languages[0].partition("-")[0]
    return _LANGUAGES.get(language, "und")
