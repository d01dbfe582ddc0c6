import torch

from facelab.train import augment
from facelab.train.recipe import Augmentation

RANGES = Augmentation()
IMAGES = torch.rand(6, 3, 24, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_same_generator_state_same_images():
    first, second = (augment(IMAGES, torch.Generator().manual_seed(3)) for _ in range(2))
    torch.testing.assert_close(first, second, atol=0, rtol=0)
    assert not torch.equal(first, augment(IMAGES, torch.Generator().manual_seed(4)))
    assert not torch.equal(first, IMAGES)


def test_a_flat_image_changes_only_in_contrast_and_brightness():
    flat = torch.full((200, 3, 8, 8), 0.5)
    out = augment(flat, torch.Generator().manual_seed(0))
    assert (out.amax(dim=(1, 2, 3)) - out.amin(dim=(1, 2, 3))).max() < 1e-5
    values = out[:, 0, 0, 0]
    assert values.min() >= 0.5 * (1 - RANGES.contrast) - RANGES.brightness
    assert values.max() <= 0.5 * (1 + RANGES.contrast) + RANGES.brightness
    assert values.std() > 0.05


def test_about_half_are_flipped():
    gradient = torch.linspace(-1, 1, 24).expand(400, 3, 24, 24)
    out = augment(gradient, torch.Generator().manual_seed(0))
    flipped = out[..., 16:].mean(dim=(1, 2, 3)) < out[..., :8].mean(dim=(1, 2, 3))
    assert 160 < flipped.sum() < 240
