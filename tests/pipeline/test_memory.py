"""Memory does not grow with the length of a result."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

from studio import moving, write_video

PROGRAM = """
import json, resource, sys
from fractions import Fraction
import edgeavatar
source, output, sentences = sys.argv[1:]
text = "This sentence takes about three seconds, and then comes the next one. " * int(sentences)
report = edgeavatar.render(source=source, output=output, text=text, preset="ultrafast")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"duration_s": report.duration_s, "peak": peak}))
"""


def _peak(source: Path, output: Path, sentences: int) -> tuple[float, int]:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, source, output, str(sentences)],
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    measured = json.loads(result.stdout)
    return measured["duration_s"], measured["peak"]


def test_a_minute_takes_no_more_memory_than_ten_seconds(tmp_path: Path) -> None:
    source = write_video(tmp_path / "clip.mp4", moving(30, 160), rate=Fraction(5))
    short_s, short_peak = _peak(source, tmp_path / "short.mp4", 3)
    long_s, long_peak = _peak(source, tmp_path / "long.mp4", 18)
    assert short_s < 13
    assert long_s > 55
    assert long_peak < 1.05 * short_peak
