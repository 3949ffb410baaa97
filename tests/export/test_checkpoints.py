"""Checkpoints are not trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeavatar.errors import IntegrityError, ModelNotFound

torch = pytest.importorskip("torch", reason="torch is only needed for export")

from export.checkpoints import load_into, read_tensors


class Harm:
    """Runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.path,))


def net() -> object:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "generator"])
def test_weights_are_found_in_the_usual_wrappers(tmp_path: Path, wrapper: str | None) -> None:
    wanted = net().state_dict()  # type: ignore[attr-defined]
    content = wanted if wrapper is None else {wrapper: wanted, "epoch": 3}
    assert read_tensors(saved(tmp_path / "a.pt", content)).keys() == wanted.keys()


def test_names_of_parallel_training_lose_their_prefix(tmp_path: Path) -> None:
    wanted = net().state_dict()  # type: ignore[attr-defined]
    path = saved(tmp_path / "a.pt", {f"module.{k}": v for k, v in wanted.items()})
    assert read_tensors(path).keys() == wanted.keys()


def test_code_in_a_checkpoint_is_refused_and_does_not_run(tmp_path: Path) -> None:
    harmed = tmp_path / "harmed"
    path = saved(tmp_path / "a.pt", {"weight": torch.zeros(1), "harm": Harm(harmed)})
    with pytest.raises(IntegrityError, match="code of their own"):
        read_tensors(path)
    assert not harmed.exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 nor this"])
def test_other_files_are_told_apart(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"a\.pt: expected a checkpoint"):
        read_tensors(path)


def test_a_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="found no file"):
        read_tensors(tmp_path / "a.pt")


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "a.pt", {"weight": torch.zeros(1024, 1024)})
    monkeypatch.setattr("export.checkpoints.LARGEST_BYTES", 1024**2)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(IntegrityError, match="expected at most 1 MiB, found 4 MiB"):
        read_tensors(path)


def test_nothing_but_numbers_in_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="expected tensors by name"):
        read_tensors(saved(tmp_path / "a.pt", {"epoch": 3}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("0.weight"), r"expected the tensor 0\.weight \(2, 3\), found none"),
        (lambda s: s.update({"0.bias": torch.zeros(3)}), r"expected 0\.bias \(2\), found \(3\)"),
        (
            lambda s: s.update({"0.bias": torch.zeros(2, dtype=torch.int64)}),
            r"expected 0\.bias as torch\.float32, found torch\.int64",
        ),
        (
            lambda s: s.update({"0.bias": torch.tensor([0.0, float("nan")])}),
            r"expected finite numbers in 0\.bias",
        ),
        (lambda s: s.update({"odd": torch.zeros(4)}), r"expected no tensor odd, found \(4\)"),
    ],
)
def test_the_first_odd_tensor_is_named_and_the_net_stays_as_it_was(
    change: object, message: str
) -> None:
    here = net()
    before = {k: v.clone() for k, v in here.state_dict().items()}  # type: ignore[attr-defined]
    tensors = {k: v + 1 for k, v in before.items()}
    change(tensors)  # type: ignore[operator]
    with pytest.raises(IntegrityError, match=message):
        load_into(here, tensors, "a.pt")
    for name, tensor in here.state_dict().items():  # type: ignore[attr-defined]
        assert torch.equal(tensor, before[name])
