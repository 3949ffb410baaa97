"""The Wav2Lip-compatible generator: its layout, its checkpoints, its graph."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import edgeavatar
from edgeavatar.errors import IntegrityError, ModelNotFound
from edgeavatar.portrait import make_portrait, write_portrait


@pytest.fixture(scope="module")
def net():  # type: ignore[no-untyped-def]
    """Give a generator with random weights."""
    from export.nets.wav2lip import untrained

    return untrained()


@pytest.fixture(scope="module")
def published(net, tmp_path_factory: pytest.TempPathFactory) -> Path:  # type: ignore[no-untyped-def]
    """Write its weights as the public training script does, of a time without counters."""
    path = tmp_path_factory.mktemp("weights") / "generator.pth"
    state = {
        f"module.{name}": tensor
        for name, tensor in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    torch.save({"state_dict": state, "optimizer": None, "global_step": 7, "global_epoch": 1}, path)
    return path


def test_it_has_the_published_layout(net) -> None:  # type: ignore[no-untyped-def]
    assert sum(weights.numel() for weights in net.parameters()) == 36_298_035
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    convolutions = {name: shape for name, shape in shapes.items() if len(shape) == 4}
    assert len(convolutions) == 52 - 1
    norms = [name for name in shapes if name.endswith("conv_block.1.running_mean")]
    assert len(norms) == 50
    block = r"(face_(en|de)coder_blocks\.\d\.\d|audio_encoder\.\d+|output_block\.0)\.conv_block\."
    tensor = r"(0\.(weight|bias)|1\.(weight|bias|running_mean|running_var|num_batches_tracked))"
    last = r"output_block\.1\.(weight|bias)"
    odd = [name for name in shapes if not re.fullmatch(f"{block}{tensor}|{last}", name)]
    assert odd == []


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("face_encoder_blocks.0.0.conv_block.0.weight", (16, 6, 7, 7)),
        ("face_encoder_blocks.1.2.conv_block.0.weight", (32, 32, 3, 3)),
        ("face_encoder_blocks.2.3.conv_block.0.weight", (64, 64, 3, 3)),
        ("face_encoder_blocks.5.1.conv_block.0.weight", (512, 512, 3, 3)),
        ("face_encoder_blocks.6.1.conv_block.0.weight", (512, 512, 1, 1)),
        ("audio_encoder.0.conv_block.0.weight", (32, 1, 3, 3)),
        ("audio_encoder.9.conv_block.0.weight", (256, 128, 3, 3)),
        ("audio_encoder.11.conv_block.0.weight", (512, 256, 3, 3)),
        ("audio_encoder.12.conv_block.1.running_var", (512,)),
        ("face_decoder_blocks.0.0.conv_block.0.weight", (512, 512, 1, 1)),
        ("face_decoder_blocks.1.0.conv_block.0.weight", (1024, 512, 3, 3)),
        ("face_decoder_blocks.3.0.conv_block.0.weight", (768, 384, 3, 3)),
        ("face_decoder_blocks.5.0.conv_block.0.weight", (320, 128, 3, 3)),
        ("face_decoder_blocks.6.0.conv_block.0.weight", (160, 64, 3, 3)),
        ("face_decoder_blocks.6.2.conv_block.1.bias", (64,)),
        ("output_block.0.conv_block.0.weight", (32, 80, 3, 3)),
        ("output_block.1.weight", (3, 32, 1, 1)),
    ],
)
def test_names_and_shapes_are_those_of_public_weights(net, name: str, shape) -> None:  # type: ignore[no-untyped-def]
    assert tuple(net.state_dict()[name].shape) == shape


def test_the_sound_and_both_faces_count(net) -> None:  # type: ignore[no-untyped-def]
    from export.nets.wav2lip import some_inputs

    mel, face = some_inputs(2)
    assert not face[:, :3, 48:].any()
    with torch.no_grad():
        made = net(mel, face)
        assert made.shape == (2, 3, 96, 96)
        assert 0.0 <= made.min() <= made.max() <= 1.0
        for other in ((-mel, face), (mel, face.flip(3)), (mel, face.flip(1))):
            assert (net(*other) - made).abs().max() > 0.01


def test_folding_changes_no_output(net) -> None:  # type: ignore[no-untyped-def]
    from export.nets.wav2lip import folded, some_inputs

    inputs = some_inputs(2)
    flat = folded(net)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in flat.modules())
    with torch.no_grad():
        assert (flat(*inputs) - net(*inputs)).abs().max() < 1e-4
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())


@pytest.fixture(scope="module")
def built(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build what a person with a checkpoint builds, judged on fewer faces."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxslim")
    from export.building import Wanted, build
    from export.nets.wav2lip import some_inputs
    from export.recipes import recipe_named, wav2lip
    from export.recipes.base import Recipe

    def met(which: str) -> Iterator[dict[str, np.ndarray]]:
        for seed in range(2):
            mel, seen = some_inputs(1, seed + len(which))
            yield {"mel": mel.numpy(), "face": seen.numpy()}

    folder = tmp_path_factory.mktemp("built")
    wanted = Wanted(("onnx",), ("fp32",), rounds=2, threads=1)
    recipe = recipe_named("wav2lip")
    assert isinstance(recipe, Recipe)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        patch.setattr(wav2lip, "_faces_and_words", met)
        build(recipe, published, folder, wanted, lambda _: None)
    return folder


def test_a_checkpoint_becomes_files_that_compute_the_same(net, built: Path) -> None:  # type: ignore[no-untyped-def]
    import onnx

    from edgeavatar.rendering.wav2lip import open_generator
    from export.building import read_report
    from export.nets.wav2lip import some_inputs
    from export.recipes.base import onnx_runner

    results = read_report(built)["results"]
    assert [r["backend"] for r in results] == ["onnxruntime", "openvino"]
    # Times of two rounds say nothing.
    closed = [g for r in results for g in r["gates"] if not g["passed"] and g["name"] != "speed"]
    assert closed == []
    path = built / "wav2lip_fp32.onnx"
    kinds = {node.op_type for node in onnx.load(str(path)).graph.node}
    assert kinds == {"Conv", "ConvTranspose", "Add", "Relu", "Concat", "Sigmoid"}
    # The runtime takes the file, one face at a time; the graph takes any number.
    with open_generator(path, backend="onnxruntime", threads=1) as session:
        for count, run in ((1, session.run), (3, onnx_runner(onnx.load(str(path))))):
            mel, face = some_inputs(count, seed=5)
            made = run({"mel": mel.numpy(), "face": face.numpy()})["mouth"]
            with torch.no_grad():
                assert (net(mel, face) - torch.from_numpy(made)).abs().max() < 1e-4


def test_what_was_built_renders(built: Path, tmp_path: Path, model_store: Any) -> None:
    for model in ("face", "portrait", "voice-hibari"):
        model_store.resolve(model)
    source, output = tmp_path / "photo.png", tmp_path / "out.mp4"
    write_portrait(make_portrait(7, size=256), source)
    report = edgeavatar.render(
        source=source,
        output=output,
        text="Ma.",
        renderer="wav2lip",
        renderer_model=built / "wav2lip_fp32.onnx",
        backend="onnxruntime",
        fps=Fraction(10),
        still=True,
        label=None,
        threads=1,
    )
    assert report.backends["painter"].startswith("onnxruntime on cpu")
    with av.open(str(output)) as film:
        frames = [f.to_ndarray(format="gray").astype(int) for f in film.decode(video=0)]
    spread = np.ptp(np.stack(frames), axis=0)
    # Random weights paint anything, below the nose.
    assert spread[128:].max() > 40
    assert spread[:80].max() < 10


def test_a_checkpoint_that_needs_code_is_refused_by_the_command(
    net,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from export.__main__ import run

    harmed, path, out = tmp_path / "harmed", tmp_path / "bad.pth", tmp_path / "out"
    torch.save({"state_dict": net.state_dict(), "harm": Harm(harmed)}, path)
    arguments = ["export", "build", "wav2lip", "--checkpoint", str(path), "-o", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as left:
        run()
    assert left.value.code == IntegrityError.exit_code
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("error: bad.pth: expected tensors only, found objects that need")
    assert not harmed.exists()
    assert not out.exists()


class Harm:
    """Runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.path,))


def test_a_checkpoint_is_read_with_counters_and_without(
    net,  # type: ignore[no-untyped-def]
    published: Path,
    tmp_path: Path,
) -> None:
    from export.nets.wav2lip import load_generator

    path = tmp_path / "with.pt"
    torch.save(net.state_dict(), path)
    for checkpoint in (published, path):
        found = load_generator(checkpoint)
        assert not found.training
        for name, wanted in net.state_dict().items():
            counts = name.endswith("num_batches_tracked")
            if counts and checkpoint == published:
                wanted = torch.tensor(0)
            assert torch.equal(found.state_dict()[name], wanted), name


def test_wrong_checkpoints_are_named(net, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from export.nets.wav2lip import load_generator

    path = tmp_path / "other.pth"
    with pytest.raises(ModelNotFound, match=r"other\.pth, found no file"):
        load_generator(path)
    state = net.state_dict()
    first = "face_encoder_blocks.0.0.conv_block.0.weight"
    torch.save({"audio_encoder.0.conv_block.0.weight": torch.zeros(32, 1, 3, 3)}, path)
    with pytest.raises(IntegrityError, match=f"expected the tensor {first} .16, 6, 7, 7., found"):
        load_generator(path)
    # A generator for larger faces has a wider first layer.
    torch.save({first: torch.zeros(32, 6, 7, 7)}, path)
    with pytest.raises(IntegrityError, match=rf"{first} \(16, 6, 7, 7\), found \(32, 6, 7, 7\)"):
        load_generator(path)
    torch.save(state | {"face_encoder_blocks.7.0.conv_block.0.bias": torch.zeros(3)}, path)
    with pytest.raises(IntegrityError, match=r"no tensor face_encoder_blocks\.7\.0\.conv_block"):
        load_generator(path)
