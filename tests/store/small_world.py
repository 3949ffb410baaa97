"""A small world of models: archives as the real ones are built, and a server that offers them."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import re
import tarfile
import threading
import zipfile
from dataclasses import dataclass, field
from typing import Any

from edgeavatar import installing


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def noise(name: str, size: int) -> bytes:
    """Bytes that do not compress and are the same in every run."""
    return hashlib.shake_256(name.encode()).digest(size)


def zip_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tar_of(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


NET = noise("net", 300_000)
TASK = zip_of({"small.tflite": noise("small", 5_000), "other.tflite": noise("other", 7_000)})
PART_1, PART_2 = noise("part 1", 4_000), noise("part 2", 3_000)
VOICE = noise("voice", 2_000)

ARCHIVES: dict[str, bytes] = {
    "net_pkg-1.0-py3-none-any.whl": zip_of({"net_pkg/net.onnx": NET, "net_pkg/__init__.py": b""}),
    "task_pkg-1.0-py3-none-any.whl": zip_of({"task_pkg/all.task": TASK}),
    "part_1-1.0-py3-none-any.whl": zip_of({"part_1/part.bin": PART_1}),
    "part_2-1.0-py3-none-any.whl": zip_of({"part_2/part.bin": PART_2}),
    "speech-1.0.tar.gz": tar_of(
        {"speech-1.0/setup.py": b"raise SystemExit('built!')", "speech-1.0/voices/a.bin": VOICE}
    ),
}
PACKAGES = {
    "net-pkg": "net_pkg-1.0-py3-none-any.whl",
    "task-pkg": "task_pkg-1.0-py3-none-any.whl",
    "part-1": "part_1-1.0-py3-none-any.whl",
    "part-2": "part_2-1.0-py3-none-any.whl",
    "speech": "speech-1.0.tar.gz",
}


def _manifest_text() -> str:
    lines = ["schema = 1"]
    for package, file in PACKAGES.items():
        data = ARCHIVES[file]
        lines += [
            f"[archives.{package}]",
            f'package = "{package}"',
            'version = "1.0"',
            f'file = "{file}"',
            f"bytes = {len(data)}",
            f'sha256 = "{sha256(data)}"',
        ]
        if package == "task-pkg":
            member = f'member = "task_pkg/all.task", bytes = {len(TASK)}'
            lines.append(f'containers = [{{ {member}, sha256 = "{sha256(TASK)}" }}]')

    def model(name: str, use: str, profiles: str) -> None:
        lines.extend(
            [
                f"[models.{name}]",
                f'title = "the {name} model"',
                'task = "test"',
                'version = "1.0"',
                'licence_package = "MIT"',
                'licence_weights = "Apache-2.0"',
                f'commercial_use = "{use}"',
                'attribution = "nobody"',
                'preprocessing = "none"',
                f"profiles = [{profiles}]",
            ]
        )

    def file(model_name: str, key: str, path: str, data: bytes, source: str) -> None:
        lines.extend(
            [
                f'[models.{model_name}.files."{key}"]',
                f'path = "{path}"',
                f"bytes = {len(data)}",
                f'sha256 = "{sha256(data)}"',
                f"source = [{source}]",
            ]
        )

    model("net", "yes", '"default", "small"')
    file("net", "net", "net.onnx", NET, '{ archive = "net-pkg", member = "net_pkg/net.onnx" }')
    model("task", "yes", '"default"')
    for key in ("small", "other"):
        inner = f'member = "task_pkg/all.task", inner = "{key}.tflite"'
        data = noise(key, 5_000 if key == "small" else 7_000)
        file("task", key, f"{key}.tflite", data, f'{{ archive = "task-pkg", {inner} }}')
    model("voice", "unclear", "")
    parts = ", ".join(
        f'{{ archive = "part-{i}", member = "part_{i}/part.bin", bytes = {len(data)}, '
        f'sha256 = "{sha256(data)}" }}'
        for i, data in ((1, PART_1), (2, PART_2))
    )
    file("voice", "acoustic", "voice.onnx", PART_1 + PART_2, parts)
    source = '{ archive = "speech", member = "speech-1.0/voices/a.bin" }'
    file("voice", "voice:a", "voices/a.bin", VOICE, source)
    return "\n".join(lines) + "\n"


MANIFEST_TEXT = _manifest_text()


@dataclass
class Request:
    """What a client asked the server."""

    path: str
    headers: dict[str, str]


@dataclass
class Registry:
    """A package index on this machine that can be told to misbehave."""

    url: str = ""
    html: bool = False
    """Answer project pages in HTML instead of JSON."""
    ranges: bool = True
    """Understand the Range header."""
    hashes: bool = True
    """State the SHA-256 of files."""
    archives: dict[str, bytes] = field(default_factory=lambda: dict(ARCHIVES))
    cut: list[int] = field(default_factory=list)
    """After how many bytes each of the next file answers breaks off."""
    statuses: list[int] = field(default_factory=list)
    """Error statuses of the next answers, 0 for none."""
    redirect: str = ""
    """Where files are to be had instead."""
    hold: threading.Event | None = None
    """When set, a file answer stops half-way until the event comes."""
    requests: list[Request] = field(default_factory=list)

    def settings(self, **changes: Any) -> installing.PipSettings:
        options = {"index_urls": (f"{self.url}/simple",), "timeout_s": 10.0, "retries": 1}
        return installing.PipSettings(**{**options, **changes})

    @property
    def fetched(self) -> list[str]:
        """Names of the files that were asked for, in order."""
        return [r.path.rpartition("/")[2] for r in self.requests if r.path.startswith("/files/")]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: Registry

    def do_GET(self) -> None:
        registry = self.registry
        # A client that uses a proxy names the whole address.
        path = re.sub(r"\Ahttps?://[^/]+", "", self.path)
        registry.requests.append(Request(path, {k.lower(): v for k, v in self.headers.items()}))
        status = registry.statuses.pop(0) if registry.statuses else 0
        if status:
            self._answer(status, b"no", {})
        elif match := re.fullmatch(r"/simple/([^/]+)/", path):
            self._page(match[1])
        elif path.startswith("/files/") and path[7:] in registry.archives:
            self._file(registry.archives[path[7:]])
        else:
            self._answer(404, b"not here", {})

    def _page(self, project: str) -> None:
        file = PACKAGES.get(project)
        data = self.registry.archives.get(file or "")
        if file is None or data is None:
            self._answer(404, b"not here", {})
            return
        digest = sha256(data) if self.registry.hashes else ""
        if self.registry.html:
            fragment = f"#sha256={digest}" if digest else ""
            body = (
                "<!DOCTYPE html><html><body>"
                f'<a href="../../files/older-0.1.whl">older-0.1.whl</a><br/>'
                f'<a href="../../files/{file}{fragment}">{file}</a></body></html>'
            )
            self._answer(200, body.encode(), {"Content-Type": "text/html; charset=utf-8"})
            return
        hashes = {"sha256": digest} if digest else {}
        entry = {"filename": file, "url": f"../../files/{file}", "hashes": hashes}
        body = json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": [entry]})
        kind = "application/vnd.pypi.simple.v1+json"
        self._answer(200, body.encode(), {"Content-Type": kind})

    def _file(self, data: bytes) -> None:
        registry = self.registry
        if registry.redirect:
            target = f"{registry.redirect}/files/{self.path.rpartition('/')[2]}"
            self._answer(302, b"", {"Location": target})
            return
        status, start, headers = 200, 0, {}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and registry.ranges:
            start = int(asked[1])
            if start >= len(data):
                self._answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
                return
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        body = data[start:]
        self._head(status, len(body), headers)
        if registry.hold is not None:
            half = len(body) // 2
            self.wfile.write(body[:half])
            self.wfile.flush()
            registry.hold.wait(30)
            body = body[half:]
        if registry.cut:
            self.wfile.write(body[: registry.cut.pop(0)])
            self.close_connection = True
            return
        self.wfile.write(body)

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self._head(status, len(body), headers)
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    # Closing the server waits for every answer under way.

    def handle_error(self, *_arguments: object) -> None:
        # A client that goes away in the middle is what some tests are about.
        pass


class Told:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int]] = []
        self.lines: list[str] = []
        self.done = 0
        self.ended = 0

    def begin(self, what: str, total_bytes: int, done_bytes: int = 0) -> None:
        self.steps.append((what, total_bytes, done_bytes))

    def advance(self, done_bytes: int) -> None:
        self.done = done_bytes

    def end(self) -> None:
        self.ended += 1

    def say(self, line: str) -> None:
        self.lines.append(line)
