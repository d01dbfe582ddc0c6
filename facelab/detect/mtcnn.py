"""MTCNN: a cascade of three small networks, from thousands of windows to a few faces with landmarks."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facelab.data.images import to_rgb8
from facelab.detect.boxes import nms, nms_nested, shift, to_square
from facelab.detect.detection import Detection, rgb_images
from facelab.detect.mtcnn_nets import ONet, PNet, RNet, load_pretrained
from facelab.detect.single import large_enough
from facelab.device import resolve_device
from facelab.errors import FacelabError

WINDOW = 12  # P-Net sees 12 x 12 pixels
STRIDE = 2  # and moves by 2
MAX_PIXELS = 2_000_000  # P-Net sees so many pixels at once, in strips of a large image: this bounds memory
MAX_WINDOWS = 64  # and R-Net and O-Net so many windows: what they compute stays in the processor's cache


class MTCNN:
    """Find faces and their five landmarks (Zhang et al., 2016), pretrained.

    P-Net looks at every 12 x 12 window of an image pyramid, R-Net looks again at what P-Net proposes, O-Net decides and
    places the landmarks. Images of one size go through P-Net together; the windows of all of them and all pyramid
    levels go through R-Net and O-Net together. Memory does not grow with the size of a photograph, beyond the decoded
    picture and its largest pyramid level, 8 bits each.

    The networks know upright faces. Of faces turned by a quarter they find few; on a head that stands upside down they
    may find a face whose landmarks are wrong, see :class:`facelab.detect.QuarterTurns`.

    Args:
        min_face: leave out faces whose box has a shorter side than this, pixels of the image. The pyramid begins there:
            twice the value leaves P-Net, the dearest of the three, a quarter of the windows.
        max_faces: return at most so many faces of an image, those with the best scores; None for all.
        thresholds: the face probability that a window must pass in P-Net, R-Net, O-Net.
        factor: the ratio of the sizes of two pyramid levels.
        device: where to compute; see :func:`facelab.device.resolve_device`.

    Raises:
        FacelabError: an argument out of its range, or the weights are missing or damaged.
    """

    def __init__(
        self,
        *,
        min_face: int = 20,
        max_faces: int | None = None,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.8),
        factor: float = 0.709,
        device: str | torch.device = "auto",
    ):
        if min_face < WINDOW:
            raise FacelabError(
                f"min_face={min_face}: MTCNN cannot see faces smaller than {WINDOW} pixels; enlarge the image instead."
            )
        if max_faces is not None and max_faces < 1:
            raise FacelabError(f"max_faces={max_faces}: give 1 or more, or leave it out for all.")
        if len(thresholds) != 3 or not all(0 < threshold < 1 for threshold in thresholds) or not 0 < factor < 1:
            raise FacelabError(f"thresholds={thresholds}, factor={factor}: each must lie between 0 and 1.")
        self.min_face, self.max_faces, self.thresholds, self.factor = min_face, max_faces, thresholds, factor
        self.device = resolve_device(device)
        # The layout of decoded pictures, and twice as fast on a CPU.
        nets: list[Any] = [
            load_pretrained(net).to(self.device).to(memory_format=torch.channels_last)
            for net in (PNet(), RNet(), ONet())
        ]
        self.pnet, self.rnet, self.onet = nets

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Return the faces of each image, best score first.

        Args:
            images: a list of RGB uint8 arrays (height, width, 3), of any sizes, in any memory layout; greyscale, alpha,
                16 bits and floating point as in :func:`facelab.data.images.to_rgb8`. The order of the channels cannot
                be seen from an array: with OpenCV's BGR fewer faces are found, and nothing complains, so turn it first
                (``to_rgb8(image, channels="bgr")``). An image smaller than ``min_face`` has no face to be found: its
                list is empty. No images: no lists.

        Raises:
            ImageError: something that is not an image (its position is named), or one image instead of a list.
        """
        by_shape = defaultdict(list)
        arrays = list(rgb_images(images))
        for index, array in enumerate(arrays):
            by_shape[array.shape].append(index)
        found: list[list[Detection]] = [[] for _ in arrays]
        for (height, width, _), indices in by_shape.items():
            step = max(1, MAX_PIXELS // (height * width))
            for start in range(0, len(indices), step):
                chunk = indices[start : start + step]
                for index, faces in zip(chunk, self._detect_same_size([arrays[i] for i in chunk]), strict=True):
                    found[index] = large_enough(faces, self.min_face)[: self.max_faces]
        return found

    def pyramid(self, height: int, width: int) -> list[float]:
        """Return the scales at which P-Net's window covers faces from ``min_face`` up to the whole image."""
        scales, scale = [], WINDOW / self.min_face
        while min(height, width) * scale >= WINDOW:
            scales.append(scale)
            scale *= self.factor
        return scales

    @torch.inference_mode()
    def score_map(self, image: np.ndarray, scale: float) -> np.ndarray:
        """Return P-Net's face probability for every window of one pyramid level, shape (rows, columns).

        The window of row r and column c covers the square from (STRIDE * c, STRIDE * r) to WINDOW more, in pixels of
        the level; divide by ``scale`` for pixels of the image.
        """
        level = self._level([_Areas(to_rgb8(image))], scale)
        return np.concatenate([p[0].cpu().numpy() for p, _, _ in self._strips(level)])

    @torch.inference_mode()
    def _detect_same_size(self, images: list[np.ndarray]) -> list[list[Detection]]:
        areas = [_Areas(image) for image in images]
        boxes, owner = self._propose(areas)
        boxes, owner = self._refine(areas, boxes, owner)
        return self._decide(areas, boxes, owner)

    def _level(self, areas: Sequence["_Areas"], scale: float) -> np.ndarray:
        height, width = (int(side * scale + 1) for side in areas[0].image.shape[:2])
        return np.stack([area.resize(height, width) for area in areas])

    def _strips(self, level: np.ndarray) -> Iterator[tuple[Tensor, Tensor, int]]:
        """Run P-Net over horizontal strips of a level; yield probability, offsets and the first row of each.

        Row r of the output sees rows 2r to 2r + 11 of the input, so strips that overlap by 10 rows give exactly what
        the whole level gives.
        """
        n, height, width, _ = level.shape
        rows = (height - WINDOW + 1) // STRIDE + 1
        step = max(1, MAX_PIXELS // (n * width * STRIDE))
        for first in range(0, rows, step):
            strip = level[:, first * STRIDE : (first + step - 1) * STRIDE + WINDOW]
            probability, offsets = self.pnet(self._input(strip))
            yield probability, offsets, first

    def _propose(self, areas: Sequence["_Areas"]) -> tuple[Tensor, Tensor]:
        """P-Net over the pyramid. Returns square boxes (n, 4) and each one's owner: the position of its image (n,)."""
        boxes: list[Tensor] = []
        scores: list[Tensor] = []
        offsets: list[Tensor] = []
        owners: list[Tensor] = []
        for scale in self.pyramid(*areas[0].image.shape[:2]):
            of_level = []
            for probability, offset, first in self._strips(self._level(areas, scale)):
                owner, row, column = torch.nonzero(probability >= self.thresholds[0], as_tuple=True)
                corner = torch.stack([column, row + first], dim=1) * STRIDE
                box = (torch.cat([corner + 1, corner + WINDOW], dim=1) / scale).floor()
                of_level.append((box, probability[owner, row, column], offset[owner, :, row, column], owner))
            box, score, offset, owner = (torch.cat(parts) for parts in zip(*of_level, strict=True))
            keep = nms(box, score, owner, 0.5)
            for parts, part in zip((boxes, scores, offsets, owners), (box, score, offset, owner), strict=True):
                parts.append(part[keep])
        if not boxes:
            return torch.empty(0, 4, device=self.device), torch.empty(0, dtype=torch.int64, device=self.device)
        box, score, offset, owner = map(torch.cat, (boxes, scores, offsets, owners))
        keep = nms(box, score, owner, 0.7)
        return to_square(shift(box[keep], offset[keep])).trunc(), owner[keep]

    def _refine(self, areas: Sequence["_Areas"], boxes: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
        """R-Net on the proposals. Returns fewer and better square boxes, and their owners."""
        scores, offsets = self._look(self.rnet, areas, boxes, owner)
        passed = torch.nonzero(scores > self.thresholds[1])[:, 0]
        keep = passed[nms(boxes[passed], scores[passed], owner[passed], 0.7)]
        return to_square(_from_edges(shift(_to_edges(boxes[keep]), offsets[keep]))).trunc(), owner[keep]

    def _decide(self, areas: Sequence["_Areas"], boxes: Tensor, owner: Tensor) -> list[list[Detection]]:
        """O-Net on the refined boxes. Returns the faces of each image."""
        scores, offsets, landmarks = self._look(self.onet, areas, boxes, owner)
        boxes = _to_edges(boxes)
        landmarks = boxes[:, None, :2] + landmarks * (boxes[:, 2:] - boxes[:, :2])[:, None]
        boxes = shift(boxes, offsets)
        passed = torch.nonzero(scores > self.thresholds[2])[:, 0]
        keep = passed[nms_nested(boxes[passed], scores[passed], owner[passed], 0.7)]
        faces: list[list[Detection]] = [[] for _ in areas]
        rows = (boxes[keep].cpu().numpy(), scores[keep].tolist(), landmarks[keep].cpu().numpy(), owner[keep].tolist())
        for box, score, points, image in zip(*rows, strict=True):
            # Whole coordinates are the edges of pixels here; outside they are the centres.
            faces[image].append(Detection(box - 0.5, score, points - 0.5))
        return faces

    def _look(
        self, network: RNet | ONet, areas: Sequence["_Areas"], boxes: Tensor, owner: Tensor
    ) -> tuple[Tensor, ...]:
        """Cut the windows out of the images and run the network on them."""
        edges, owners = _to_edges(boxes).long().tolist(), owner.tolist()
        parts = []
        for start in range(0, max(len(edges), 1), MAX_WINDOWS):
            chunk = zip(edges[start : start + MAX_WINDOWS], owners[start : start + MAX_WINDOWS], strict=True)
            windows = [areas[image].resize(network.size, network.size, edge) for edge, image in chunk]
            array = (
                np.stack(windows, dtype=np.float32)
                if windows
                else np.empty((0, network.size, network.size, 3), np.float32)
            )
            parts.append(network(self._input(array)))
        return tuple(torch.cat(part) for part in zip(*parts, strict=True))

    def _input(self, pixels: np.ndarray) -> Tensor:
        """(n, h, w, 3), values 0 to 255 -> (n, 3, h, w) float32, values -1 to 1, channels last in memory."""
        return (torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float() - 127.5) / 128


# A box inside the cascade is (first column, first row, last column, last row), counted from 1, as in the authors' own
# code, and whole before a network sees it: windows are cut at whole pixels, and what a network says of a window holds
# for the window that it saw. Candidates win by tiny differences, so only the same rounding finds the same faces.
def _to_edges(boxes: Tensor) -> Tensor:
    """First and last pixels, counted from 1 -> edges, where 0 is the left edge of the first pixel."""
    return boxes - boxes.new_tensor([1, 1, 0, 0])


def _from_edges(boxes: Tensor) -> Tensor:
    return boxes + boxes.new_tensor([1, 1, 0, 0])


class _Areas:
    """Shrinks one image, or windows of it, by averaging areas: with sums made once, at a cost of the result's size.

    Output pixel i of h averages the input rows from floor(i H / h) up to ceil((i + 1) H / h), as PyTorch's ``"area"``
    interpolation does, by which the other implementations of MTCNN shrink. Images whose sums would not fit 32 bits (8
    megapixels) go through OpenCV's area interpolation instead, which weights the pixels at the rim of each area.
    """

    def __init__(self, image: np.ndarray):
        import cv2

        self.image = image
        fits = image.shape[0] * image.shape[1] * 255 < 2**31
        self.sums = cv2.integral(image, sdepth=cv2.CV_32S) if fits else None

    def resize(self, height: int, width: int, edges: Sequence[int] | None = None) -> np.ndarray:
        """Return (height, width, 3), 0 to 255, float32 or uint8, of the whole image or of the window between the edges
        x0, y0, x1, y1. Outside the image is black, as in training; to cut the window off there would stretch the face.
        """
        import cv2

        columns, rows = self.image.shape[1], self.image.shape[0]
        x0, y0, x1, y1 = edges or (0, 0, columns, rows)
        left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, columns), min(y1, rows)
        if left >= right or top >= bottom:
            return np.zeros((height, width, 3), np.float32)
        if (left, top, right, bottom) != (x0, y0, x1, y1):
            border = top - y0, y1 - bottom, left - x0, x1 - right
            inside = self.image[top:bottom, left:right]
            return _Areas(cv2.copyMakeBorder(inside, *border, cv2.BORDER_CONSTANT)).resize(height, width)
        if self.sums is None:
            small = cv2.resize(self.image[y0:y1, x0:x1], (width, height), interpolation=cv2.INTER_AREA)
            return small
        (upper, lower), (first, last) = _bins(y1 - y0, height), _bins(x1 - x0, width)
        sums = self.sums[y0 : y1 + 1, x0 : x1 + 1]
        strips = sums[lower] - sums[upper]
        means = (strips.take(last, axis=1) - strips.take(first, axis=1)).astype(np.float32)
        means /= ((lower - upper)[:, None] * (last - first)).astype(np.float32)[:, :, None]
        return means


def _bins(length: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first pixel of each of ``number`` bins, and the one after its last."""
    bounds = np.arange(number + 1) * length
    return bounds[:-1] // number, -(-bounds[1:] // number)
