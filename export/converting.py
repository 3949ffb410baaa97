"""Models of others, packed for others: weights stay, and checks prove that the pack works."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeavatar import zoo
from export.gates import Gate
from export.report import REPORT, TABLE

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What ``build NAME`` packs."""

    name: str
    title: str
    model: str
    """Name of the installed model that it is made of."""
    usage: str
    """How to open what it makes, as Markdown."""
    files: tuple[str, ...]
    """All that it makes."""
    make: Callable[[Path, Tell], list[Gate]]
    """Writes the files to a folder, uses them from there, and says what it found."""
    note: str = ""
    """What whoever passes the files on must know beside the model's own licence."""

    @property
    def weights(self) -> str:
        """Say what it is made of."""
        return f"the installed model {self.model}"

    @property
    def licence(self) -> str:
        """Say what whoever passes the files on must know."""
        model = zoo.load_manifest().model(self.model)
        said = f"Weights: {model.licence_weights}; commercial use: {model.commercial_use}."
        return " ".join((said, f"{model.attribution}.", self.note)).strip()


def convert(conversion: Conversion, folder: Path, tell: Tell) -> dict[str, Any]:
    """Pack a model and check the pack; files of one that fails do not stay.

    Parameters
    ----------
    conversion
        What to make.
    folder
        To write to; made if it is not there.
    tell
        Called with what is being done.

    Returns
    -------
    dict
        The report, as written to ``report.json``.

    Raises
    ------
    EdgeAvatarError
        Models are missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in conversion.files:
        (folder / name).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="part-", dir=folder) as name:
        draft = Path(name)
        checks = conversion.make(draft, tell)
        passed = all(check.passed for check in checks)
        made = {}
        for file in conversion.files:
            content = (draft / file).read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            made[file] = {"bytes": len(content), "sha256": digest}
            if passed:
                (draft / file).replace(folder / file)
    report = {
        "name": conversion.name,
        "title": conversion.title,
        "weights": conversion.weights,
        "licence": conversion.licence,
        "usage": conversion.usage,
        "files": made,
        "checks": [asdict(check) for check in checks],
        "passed": passed,
    }
    for page, text in (
        (REPORT, json.dumps(report, indent=1) + "\n"),
        (TABLE, as_markdown(report)),
    ):
        part = folder / f"part-{page}"
        part.write_text(text, encoding="utf-8")
        part.replace(folder / page)
    return report


def as_markdown(report: Mapping[str, Any]) -> str:
    """Write the report as a page."""
    lines = [
        f"# {report['name']}: {report['title']}",
        "",
        f"Made of {report['weights']}. {report['licence']}",
        "",
        "| check | found | wanted | |",
        "|---|---|---|---|",
        *(
            f"| {c['name']} | {c['found']} | {c['wanted']} | {'yes' if c['passed'] else '**no**'} |"
            for c in report["checks"]
        ),
        "",
    ]
    if report["passed"]:
        lines += [
            "| file | bytes | sha256 |",
            "|---|---|---|",
            *(f"| {n} | {f['bytes']} | `{f['sha256']}` |" for n, f in report["files"].items()),
            "",
            report["usage"],
        ]
    else:
        lines.append("No file was kept.")
    return "\n".join(lines) + "\n"
