"""Geometry of boxes: x0, y0, x1, y1 in pixels, float32 tensors of shape (n, 4)."""

import torch
from torch import Tensor


def to_square(boxes: Tensor) -> Tensor:
    """Grow the shorter side of each box so that it is square around the same centre."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(dim=1, keepdim=True) / 2
    return torch.cat([centre - half, centre + half], dim=1)


def shift(boxes: Tensor, offsets: Tensor) -> Tensor:
    """Move each box edge by ``offsets`` (n, 4), given in units of the box's width (x) and height (y)."""
    size = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + offsets * size


def nms(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> Tensor:
    """Non-maximum suppression within each group: keep a box unless a better one overlaps it by more than ``threshold``.

    Overlap is intersection over union. ``groups`` (n,) says which image, or image and scale, a box belongs to.
    Returns the positions that are kept, best score first.
    """
    from torchvision.ops import batched_nms

    return batched_nms(boxes, scores, groups, threshold)


def nms_nested(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> Tensor:
    """Like :func:`nms`, but overlap is intersection over the *smaller* area, so that a box inside another one goes too.

    A plain greedy loop: it serves the few boxes that are left after the last network.
    """
    area = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1)
    waiting, kept = scores.argsort(descending=True, stable=True), []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        corner0 = torch.maximum(boxes[best, :2], boxes[waiting, :2])
        corner1 = torch.minimum(boxes[best, 2:], boxes[waiting, 2:])
        intersection = (corner1 - corner0).clamp(min=0).prod(dim=1)
        overlap = intersection / torch.minimum(area[best], area[waiting]).clamp(min=1e-9)
        waiting = waiting[(overlap <= threshold) | (groups[waiting] != groups[best])]
    return torch.stack(kept) if kept else torch.empty(0, dtype=torch.int64, device=boxes.device)
