import numpy as np
import pytest
import torch

from facelab.detect.boxes import nms, nms_nested, shift, to_square


def random_boxes(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(n, 2, generator=generator) * 60
    boxes = torch.cat([corner, corner + 5 + torch.rand(n, 2, generator=generator) * 40], dim=1)
    return boxes, torch.rand(n, generator=generator), torch.randint(0, 3, (n,), generator=generator)


def brute_force(boxes, scores, groups, threshold, nested) -> list[int]:
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        x0, y0, x1, y1 = boxes[i]
        for j in kept:
            u0, v0, u1, v1 = boxes[j]
            overlap = max(0, min(x1, u1) - max(x0, u0)) * max(0, min(y1, v1) - max(y0, v0))
            a, b = (x1 - x0) * (y1 - y0), (u1 - u0) * (v1 - v0)
            if groups[i] == groups[j] and overlap / (min(a, b) if nested else a + b - overlap) > threshold:
                break
        else:
            kept.append(i)
    return kept


@pytest.mark.parametrize(("function", "nested"), [(nms, False), (nms_nested, True)])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_against_a_brute_force_loop(function, nested, threshold):
    boxes, scores, groups = random_boxes(300, seed=int(threshold * 10))
    kept = function(boxes, scores, groups, threshold).tolist()
    assert kept == brute_force(boxes.tolist(), scores.tolist(), groups.tolist(), threshold, nested)
    assert len(kept) < 300


@pytest.mark.parametrize("function", [nms, nms_nested])
def test_no_boxes(function):
    assert function(torch.empty(0, 4), torch.empty(0), torch.empty(0, dtype=torch.int64), 0.5).shape == (0,)


def test_square_keeps_centre_and_longer_side():
    square = to_square(torch.tensor([[10.0, 20.0, 14.0, 30.0]]))
    np.testing.assert_allclose(square, [[7, 20, 17, 30]])


def test_shift_is_in_units_of_the_box():
    moved = shift(torch.tensor([[0.0, 0.0, 10.0, 20.0]]), torch.tensor([[0.1, 0.1, -0.1, 0.5]]))
    np.testing.assert_allclose(moved, [[1, 2, 9, 30]])
