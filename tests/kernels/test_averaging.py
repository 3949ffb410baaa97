"""Pictures made smaller by a whole number."""

import cv2
import numpy as np
import pytest

from edgeavatar.kernels.averaging import block_means


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("factor", [3, 4, 5, 16])
def test_blocks_are_averaged_as_opencv_does(factor: int, channels: tuple[int, ...]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (97, 203, *channels), np.uint8)
    rows, columns = 90 // factor, 190 // factor
    part = picture[5 : 5 + rows * factor, 7 : 7 + columns * factor]
    expected = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(block_means(part, factor), expected)


def test_the_brightest_picture_does_not_overflow() -> None:
    assert block_means(np.full((32, 32, 3), 255, np.uint8), 16).min() == 255


@pytest.mark.parametrize("factor", [1, 17, 9])
def test_blocks_that_cannot_be_summed_are_refused(factor: int) -> None:
    with pytest.raises(ValueError, match=f"found {factor}"):
        block_means(np.zeros((8, 40, 3), np.uint8), factor)
