"""MTCNN: a cascade of three small networks, from thousands of windows to a few faces with landmarks."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from facelab.data.images import to_rgb8
from facelab.detect.boxes import nms, nms_nested, shift, to_square
from facelab.detect.detection import Detection
from facelab.detect.mtcnn_nets import ONet, PNet, RNet, load_pretrained
from facelab.device import resolve_device
from facelab.errors import FacelabError

WINDOW = 12  # P-Net sees 12 x 12 pixels
STRIDE = 2  # and moves by 2
MAX_PIXELS = 4_000_000  # images of one size are stacked up to this many pixels, which bounds memory


class MTCNN:
    """Find faces and their five landmarks (Zhang et al., 2016), pretrained.

    P-Net looks at every 12 x 12 window of an image pyramid, R-Net looks again at what P-Net proposes, O-Net decides and
    places the landmarks. Images of one size go through P-Net together; the windows of all images and all pyramid levels
    go through R-Net and O-Net together.

    Args:
        min_face: the smallest face to look for, in pixels. Twice the value is about four times as fast.
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
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.8),
        factor: float = 0.709,
        device: str | torch.device = "cpu",
    ):
        if min_face < WINDOW:
            raise FacelabError(
                f"min_face={min_face}: MTCNN cannot see faces smaller than {WINDOW} pixels; enlarge the image instead."
            )
        if not all(0 < threshold < 1 for threshold in thresholds) or not 0 < factor < 1:
            raise FacelabError(f"thresholds={thresholds}, factor={factor}: each must lie between 0 and 1.")
        self.min_face, self.thresholds, self.factor = min_face, thresholds, factor
        self.device = resolve_device(device)
        self.pnet, self.rnet, self.onet = (load_pretrained(net).to(self.device) for net in (PNet(), RNet(), ONet()))

    @torch.inference_mode()
    def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Return the faces of each image, best score first.

        Args:
            images: RGB uint8 arrays (height, width, 3), of any sizes; other layouts as in
                :func:`facelab.data.images.to_rgb8`. An image smaller than ``min_face`` has no face to be found: its
                list is empty.

        Raises:
            ImageError: something that is not an image.
        """
        by_shape = defaultdict(list)
        arrays = [to_rgb8(image) for image in images]
        for index, array in enumerate(arrays):
            by_shape[array.shape].append(index)
        found: list[list[Detection]] = [[] for _ in arrays]
        for (height, width, _), indices in by_shape.items():
            step = max(1, MAX_PIXELS // (height * width))
            for start in range(0, len(indices), step):
                chunk = indices[start : start + step]
                detections = self._detect_batch(np.stack([arrays[index] for index in chunk]))
                for index, faces in zip(chunk, detections, strict=True):
                    found[index] = faces
        return found

    def pyramid(self, height: int, width: int) -> list[float]:
        """Return the scales at which P-Net's window covers faces from ``min_face`` up to the whole image."""
        scales, scale = [], WINDOW / self.min_face
        while min(height, width) * scale >= WINDOW:
            scales.append(scale)
            scale *= self.factor
        return scales

    def _detect_batch(self, images: np.ndarray) -> list[list[Detection]]:
        pixels = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2)
        pixels = (pixels.float() - 127.5) / 128
        boxes, owner = self._propose(pixels)
        boxes, owner = self._refine(pixels, boxes, owner)
        return self._decide(pixels, boxes, owner)

    def _propose(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """P-Net over the pyramid. Returns square boxes (n, 4) and each one's owner: the position of its image (n,)."""
        levels = []
        for scale in self.pyramid(*pixels.shape[-2:]):
            size = [max(WINDOW, round(side * scale)) for side in pixels.shape[-2:]]
            # Area averaging, as the reference does. A triangle filter blurs more, and brought false alarms.
            level = functional.interpolate(pixels, size=size, mode="area")
            probability, offsets = self.pnet(level)
            owner, row, column = torch.nonzero(probability > self.thresholds[0], as_tuple=True)
            corner = torch.stack([column, row], dim=1) * STRIDE
            boxes = shift(torch.cat([corner, corner + WINDOW], dim=1).float(), offsets[owner, :, row, column])
            boxes = boxes / boxes.new_tensor([size[1] / pixels.shape[-1], size[0] / pixels.shape[-2]]).repeat(2)
            scores = probability[owner, row, column]
            keep = nms(boxes, scores, owner, 0.5)
            levels.append((boxes[keep], scores[keep], owner[keep]))
        if not levels:
            return pixels.new_empty(0, 4), torch.empty(0, dtype=torch.int64, device=pixels.device)
        boxes, scores, owner = (torch.cat(parts) for parts in zip(*levels, strict=True))
        keep = nms(boxes, scores, owner, 0.7)
        return to_square(boxes[keep]), owner[keep]

    def _refine(self, pixels: Tensor, boxes: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
        """R-Net on the proposals. Returns fewer and better square boxes, and their owners."""
        scores, offsets = self.rnet(_crop(pixels, boxes, owner, RNet.size))
        boxes = shift(boxes, offsets)
        passed = torch.nonzero(scores > self.thresholds[1])[:, 0]
        keep = passed[nms(boxes[passed], scores[passed], owner[passed], 0.7)]
        return to_square(boxes[keep]), owner[keep]

    def _decide(self, pixels: Tensor, boxes: Tensor, owner: Tensor) -> list[list[Detection]]:
        """O-Net on the refined boxes. Returns the faces of each image."""
        scores, offsets, landmarks = self.onet(_crop(pixels, boxes, owner, ONet.size))
        landmarks = boxes[:, None, :2] + landmarks * (boxes[:, 2:] - boxes[:, :2])[:, None]
        boxes = shift(boxes, offsets)
        passed = torch.nonzero(scores > self.thresholds[2])[:, 0]
        keep = passed[nms_nested(boxes[passed], scores[passed], owner[passed], 0.7)]
        faces: list[list[Detection]] = [[] for _ in range(len(pixels))]
        rows = (boxes[keep].cpu().numpy(), scores[keep].tolist(), landmarks[keep].cpu().numpy(), owner[keep].tolist())
        for box, score, points, image in zip(*rows, strict=True):
            # In here, whole coordinates are the edges of pixels, which scale cleanly; outside they are the centres.
            faces[image].append(Detection(box - 0.5, score, points - 0.5))
        return faces


def _crop(pixels: Tensor, boxes: Tensor, owner: Tensor, size: int) -> Tensor:
    """Cut boxes out of a batch of images and resize them to (n, 3, size, size); outside the image is mid-grey (0)."""
    from torchvision.ops import roi_align

    rois = torch.cat([owner[:, None].to(boxes.dtype), boxes], dim=1)
    return roi_align(pixels, rois, output_size=size, sampling_ratio=2, aligned=True)
