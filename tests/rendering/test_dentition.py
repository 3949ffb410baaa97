from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from edgeavatar.rendering.dentition import (
    JAW_HINGE_YZ,
    LOWER_CROWNS,
    REST_LIP_Y,
    REST_MOUTH_WIDTH,
    UPPER_CROWNS,
    MouthAnatomy,
    build_gum,
    build_teeth,
    fit_anatomy,
    jaw_transform,
)
from edgeavatar.rendering.tongue import Tongue, build_lining

TABLE = MouthAnatomy(arch_scale=1.0, irregularity=0.0)
BOTH = pytest.mark.parametrize("upper", [True, False])


def _teeth(upper, anatomy=TABLE):
    teeth = build_teeth(anatomy, upper=upper)
    left, right = teeth[:6], teeth[6:]
    assert [tooth.name for tooth in left] == [
        f"{'upper' if upper else 'lower'}-l{i}" for i in range(1, 7)
    ]
    return left, right


def _tangent(teeth, index):
    """Direction of the arch at a tooth, from its neighbours, in the occlusal plane."""
    centres = np.array([tooth.centre for tooth in teeth])[:, [0, 2]]
    if index == 0:
        return np.array([1.0, 0.0])
    step = centres[min(index + 1, 5)] - centres[index - 1]
    return step / np.linalg.norm(step)


@BOTH
def test_crowns_have_the_size_of_the_table(upper):
    _, right = _teeth(upper)
    table = UPPER_CROWNS if upper else LOWER_CROWNS
    for index, (tooth, crown) in enumerate(zip(right, table, strict=True)):
        assert tooth.size == crown
        along = tooth.mesh.vertices[:, [0, 2]] @ _tangent(right, index)
        assert np.ptp(along) * 10 == pytest.approx(crown.width, rel=0.12), tooth.name
        if index < 3:
            # Back teeth are as deep as high and lean: their upright extent is not their height.
            height = np.ptp(tooth.mesh.vertices[:, 1]) * 10
            assert height == pytest.approx(crown.height, rel=0.1), tooth.name


@BOTH
def test_scale_scales_everything(upper):
    small, large = (
        build_teeth(replace(TABLE, arch_scale=scale), upper=upper) for scale in (1, 1.2)
    )
    for a, b in zip(small, large, strict=True):
        np.testing.assert_allclose(
            np.ptp(b.mesh.vertices, axis=0), 1.2 * np.ptp(a.mesh.vertices, axis=0), rtol=1e-4
        )
        assert b.size.width == pytest.approx(1.2 * a.size.width)


@BOTH
def test_neighbours_stand_side_by_side(upper):
    _, right = _teeth(upper)
    for index in range(5):
        mid = np.array(right[index + 1].centre) - np.array(right[index].centre)
        distance = math.hypot(mid[0], mid[2]) * 10
        widths = (right[index].size.width + right[index + 1].size.width) / 2
        assert distance == pytest.approx(widths, rel=0.05)


@BOTH
def test_regular_rows_are_mirror_images(upper):
    for a, b in zip(*_teeth(upper), strict=True):
        np.testing.assert_allclose(a.mesh.vertices * (-1, 1, 1), b.mesh.vertices, atol=1e-6)
    left, right = _teeth(upper, MouthAnatomy())
    shift = max(
        np.abs(a.mesh.vertices * (-1, 1, 1) - b.mesh.vertices).max()
        for a, b in zip(left, right, strict=True)
    )
    assert 0.01 < shift < 0.15


@BOTH
def test_surfaces_face_outwards(upper):
    for tooth in build_teeth(MouthAnatomy(), upper=upper):
        vertices, normals = tooth.mesh.vertices, tooth.mesh.normals
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
        outwards = ((vertices - vertices.mean(0)) * normals).sum(1)
        assert (outwards > 0).mean() > 0.9
        corners = vertices[tooth.mesh.triangles]
        faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert ((faces * normals[tooth.mesh.triangles].mean(1)).sum(1) >= -1e-7).mean() > 0.97


def test_incisors_meet_as_the_anatomy_says():
    anatomy = MouthAnatomy(irregularity=0.0)
    upper = build_teeth(anatomy, upper=True)[6].mesh.vertices
    lower = build_teeth(anatomy, upper=False)[6].mesh.vertices
    assert upper[:, 1].min() == pytest.approx(
        anatomy.rest_lip_y - anatomy.upper_tooth_offset, abs=0.03
    )
    assert lower[:, 1].max() - upper[:, 1].min() == pytest.approx(anatomy.overbite, abs=0.03)
    front = (v[np.abs(v[:, 1] - v[:, 1].mean()) < 0.3][:, 2].max() for v in (upper, lower))
    assert next(front) - next(front) == pytest.approx(anatomy.overjet, abs=0.15)


def test_upper_arch_goes_around_the_lower_one():
    upper, lower = (build_teeth(TABLE, upper=row)[6:] for row in (True, False))
    for a, b in zip(upper[2:], lower[2:], strict=True):
        assert a.centre[0] > b.centre[0] + 0.1
    canines = 2 * upper[2].centre[0] * 10
    assert canines == pytest.approx(33.7, abs=2.0)


def test_jaw_opens_about_its_hinge():
    lower = np.array(build_teeth(TABLE, upper=False)[6].centre)
    rotation, shift = jaw_transform(0.0)
    np.testing.assert_allclose(rotation @ lower + shift, lower, atol=1e-6)
    drops = []
    for weight in np.linspace(0, 1, 11):
        rotation, shift = jaw_transform(float(weight))
        assert np.linalg.det(rotation) == pytest.approx(1, abs=1e-5)
        hinge = np.array([0, *JAW_HINGE_YZ])
        np.testing.assert_allclose(rotation @ hinge + shift, hinge, atol=1e-5)
        moved = rotation @ lower + shift
        drops.append(lower[1] - moved[1])
        assert moved[2] <= lower[2] + 1e-6
    assert drops == sorted(drops)
    # The rig whose lips the renderer moves lowers its lower incisors by 3.45 cm.
    assert drops[-1] == pytest.approx(3.45, abs=0.2)
    moved = jaw_transform(0.0, 1.0)[1]
    assert moved[2] == pytest.approx(0.9)


def test_fit_moves_with_the_lip_line_and_little_with_the_width():
    base = MouthAnatomy()
    same = fit_anatomy(REST_LIP_Y, REST_MOUTH_WIDTH)
    assert same == base
    higher = fit_anatomy(REST_LIP_Y + 0.2, REST_MOUTH_WIDTH)
    assert higher.upper_edge_y == pytest.approx(base.upper_edge_y + 0.2)
    wide = fit_anatomy(REST_LIP_Y, 1.2 * REST_MOUTH_WIDTH)
    assert base.arch_scale < wide.arch_scale < 1.1 * base.arch_scale
    assert fit_anatomy(REST_LIP_Y, 50.0).arch_scale < 1.2 * base.arch_scale
    tinted = fit_anatomy(REST_LIP_Y, 5.0, replace(base, tooth_bgr=(0.1, 0.2, 0.3)))
    assert tinted.tooth_bgr == (0.1, 0.2, 0.3)
    for lip, width in ((math.nan, 5.0), (REST_LIP_Y, math.inf), (REST_LIP_Y, 0.0)):
        with pytest.raises(ValueError, match="mouth width"):
            fit_anatomy(lip, width)


@BOTH
def test_gum_is_scalloped_around_the_necks(upper):
    up = 1 if upper else -1
    gum = build_gum(TABLE, upper=upper).vertices
    centre = np.array(build_teeth(TABLE, upper=upper)[6].centre)
    crown = (UPPER_CROWNS if upper else LOWER_CROWNS)[0]
    front = gum[gum[:, 2] > centre[2] - 0.5]

    def margin(x):
        # The lowest gum over the edge of the tooth at this place of the arch.
        near = front[np.abs(front[:, 0] - x) < 0.05]
        return (up * (near[:, 1] - centre[1])).min()

    assert margin(0.0) == pytest.approx(0.46 * crown.height / 10, abs=0.05)
    assert margin(centre[0]) == pytest.approx(0.95 * crown.height / 10, abs=0.08)


def test_tongue_and_lining_are_whole():
    anatomy = MouthAnatomy()
    tongue = Tongue(anatomy)
    lower_edge = build_teeth(anatomy, upper=False)[6].centre
    for weights in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, -1), (0.5, 0.4, 0.2)):
        vertices, normals = tongue.shape(*weights)
        assert np.isfinite(vertices).all()
        assert vertices.shape == normals.shape == tongue.albedo.shape
        assert tongue.triangles.max() == len(vertices) - 1
    rest, _ = tongue.shape()
    # At rest it lies behind the lower incisors, and its back faces up.
    assert rest[:, 2].max() < lower_edge[2]
    top = rest[:, 1].argmax()
    assert tongue.shape()[1][top, 1] > 0.8
    up, _ = tongue.shape(tongue_up=1.0)
    out, _ = tongue.shape(tongue_out=1.0)
    front = rest[:, 2] > np.quantile(rest[:, 2], 0.8)
    assert up[front, 1].mean() > rest[front, 1].mean() + 0.8
    assert out[:, 2].max() > lower_edge[2] + 0.8

    lining, jaw_weight = build_lining(anatomy)
    assert jaw_weight.min() == 0
    assert jaw_weight.max() == 1
    high = lining.vertices[:, 1] > anatomy.upper_edge_y + 1.5
    assert (jaw_weight[high] == 0).all()
    inwards = ((lining.vertices.mean(0) - lining.vertices) * lining.normals).sum(1)
    assert (inwards > -1e-3).mean() > 0.95
