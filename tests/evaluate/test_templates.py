import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.evaluate import listed_scores, make_templates, pair_scores


def some_images(seed: int = 0):
    generator = np.random.default_rng(seed)
    templates = np.array([5, 2, 5, 2, 9, 5, 7, 9])
    labels = np.array([1, 0, 1, 0, 1, 1, 2, 1])
    return generator.normal(size=(8, 6)) * generator.uniform(1, 9, (8, 1)), labels, templates


def unit(x):
    return x / np.linalg.norm(x)


def test_templates_are_normalised_means_of_normalised_embeddings():
    embeddings, labels, templates = some_images()
    made = make_templates(embeddings, labels, templates)
    np.testing.assert_array_equal(made.ids, [2, 5, 7, 9])
    np.testing.assert_array_equal(made.labels, [0, 1, 2, 1])
    for name, template in zip(made.ids, made.embeddings, strict=True):
        np.testing.assert_allclose(template, unit(sum(unit(x) for x in embeddings[templates == name])))


def test_a_long_video_counts_as_much_as_one_photograph():
    a, b = np.eye(2)
    embeddings, media = np.stack([a, b, b, b, b]), np.array([0, 1, 1, 1, 1])
    made = make_templates(embeddings, np.zeros(5), np.zeros(5), media)
    np.testing.assert_allclose(made.embeddings, [[2**-0.5, 2**-0.5]])


def test_frames_of_one_video_in_two_templates_stay_apart():
    embeddings, labels, templates = some_images()
    media = np.zeros(8)
    made = make_templates(embeddings, labels, templates, media)
    np.testing.assert_allclose(made.embeddings, make_templates(embeddings, labels, templates).embeddings)


def test_a_template_of_one_image_is_that_image():
    embeddings, labels, _ = some_images()
    made = make_templates(embeddings, labels, np.arange(8))
    np.testing.assert_allclose(made.embeddings, [unit(x) for x in embeddings])


def test_order_changes_nothing_and_rotation_rotates():
    embeddings, labels, templates = some_images()
    made = make_templates(embeddings, labels, templates)
    order = np.random.default_rng(0).permutation(8)
    mixed = make_templates(embeddings[order], labels[order], templates[order])
    np.testing.assert_allclose(mixed.embeddings, made.embeddings)
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))
    turned = make_templates(embeddings @ rotation, labels, templates)
    np.testing.assert_allclose(turned.embeddings, made.embeddings @ rotation, atol=1e-12)


def test_listed_scores_equal_those_of_all_pairs():
    embeddings, labels, _ = some_images()
    every = pair_scores(embeddings, labels)
    i, j = np.triu_indices(8, 1)
    listed = listed_scores(embeddings, labels, i, j)
    np.testing.assert_allclose(listed.values, every.values, atol=1e-15)
    np.testing.assert_array_equal(listed.genuine, every.genuine)


def test_pairs_of_templates_by_name():
    embeddings, labels, templates = some_images()
    made = make_templates(embeddings, labels, templates)
    scores = listed_scores(made.embeddings, made.labels, made.rows([5, 2]), made.rows([9, 7]))
    np.testing.assert_array_equal(scores.genuine, [True, False])
    assert scores.values[0] == pytest.approx(made.embeddings[1] @ made.embeddings[3])
    with pytest.raises(FacelabError, match="no template 4"):
        made.rows([5, 4])


def test_faults_are_named():
    embeddings, labels, templates = some_images()
    with pytest.raises(FacelabError, match="template 5 holds identities 1 and 4"):
        make_templates(embeddings, np.where(np.arange(8) == 2, 4, labels), templates)
    with pytest.raises(FacelabError, match="template 7 cancel out"):
        make_templates(np.vstack([embeddings, -embeddings[6]]), np.append(labels, 2), np.append(templates, 7))
    with pytest.raises(FacelabError, match="embedding 3 is zero"):
        make_templates(np.where(np.arange(8)[:, None] == 3, 0, embeddings), labels, templates)
    with pytest.raises(FacelabError, match="media"):
        make_templates(embeddings, labels, templates, np.zeros(3))
    with pytest.raises(FacelabError, match="pair 1 points to row 8"):
        listed_scores(embeddings, labels, [0, 8], [1, 2])
    with pytest.raises(FacelabError, match="same length"):
        listed_scores(embeddings, labels, [0, 1], [1])
