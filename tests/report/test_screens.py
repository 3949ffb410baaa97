"""The page in a real browser: no request, no fault, seeking, both schemes, narrow, on paper."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import cv2
import findings
import numpy as np
import pytest

from edgeavatar.report.page import render_page
from edgeavatar.report.style import DARK, LIGHT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")


def browse(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    return subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(
        render_page(findings.filmed(), findings.pictures(), findings.MADE_WITH), encoding="utf-8"
    )
    return path


@pytest.mark.parametrize(
    ("scheme", "width", "flags"),
    [
        ("light", 1280, ()),
        ("dark", 1280, ("--blink-settings=preferredColorScheme=0",)),
        ("light", 500, ()),
    ],
)
def test_page_is_drawn_in_its_colours(
    page: Path, tmp_path: Path, scheme: str, width: int, flags: tuple[str, ...]
) -> None:
    shot = tmp_path / "shot.png"
    browse(tmp_path, *flags, f"--window-size={width},1400", f"--screenshot={shot}", page.as_uri())
    picture = cv2.imread(str(shot))
    assert picture is not None
    colours = DARK if scheme == "dark" else LIGHT
    paper, panel, bad = (_bgr(colours[name]) for name in ("paper", "panel", "bad"))
    assert np.array_equal(picture[0, 0], paper)
    # The verdict: a panel with a bar in the colour of what is wrong.
    assert _share(picture, panel) > 0.05
    assert _share(picture, bad) > 0.001
    assert 0.3 < _share(picture, paper) < 0.95


def test_style_and_script_pass_the_policy_and_nothing_is_fetched(
    page: Path, tmp_path: Path
) -> None:
    said = browse(tmp_path, "--enable-logging=stderr", "--v=0", "--dump-dom", page.as_uri())
    assert 'class="seeks"' in said.stdout, "the script ran"
    assert "Content Security Policy" not in said.stderr
    assert not re.search(r"CONSOLE.*(error|refused)", said.stderr, re.IGNORECASE)


def test_page_prints(page: Path, tmp_path: Path) -> None:
    paper = tmp_path / "report.pdf"
    browse(tmp_path, f"--print-to-pdf={paper}", "--no-pdf-header-footer", page.as_uri())
    content = paper.read_bytes()
    assert content.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 8


def _bgr(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (5, 3, 1)], np.uint8)


def _share(picture: np.ndarray, colour: np.ndarray) -> float:
    return float((picture == colour).all(2).mean())
