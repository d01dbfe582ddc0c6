"""What every engine must do, whoever keeps the gallery."""

import threading

import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.search import Match, open_gallery

D = 16


def vectors(n: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, D))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.fixture
def gallery(address):
    with open_gallery(address, fingerprint="net", dimensions=D, create=True) as opened:
        yield opened


def names(found):
    return [[match.identity for match in matches] for matches in found]


def test_the_nearest_template_of_an_identity_counts_and_the_answer_is_exact(gallery):
    x, owners = vectors(40), [f"p{row % 9}" for row in range(40)]
    numbers = [gallery.enrol(owner, row[None])[0] for owner, row in zip(owners, x, strict=True)]
    assert numbers == sorted(set(numbers))
    probes = 3 * vectors(5, seed=1)
    cosines = probes @ x.T / 3
    for k in (1, 4, 9, 50):
        for found, row in zip(gallery.search(probes, k), cosines, strict=True):
            best = {owner: max(c for c, o in zip(row, owners, strict=True) if o == owner) for owner in owners}
            expected = sorted(best.items(), key=lambda one: -one[1])[:k]
            assert [match.identity for match in found] == [name for name, _ in expected]
            assert [match.score for match in found] == pytest.approx([score for _, score in expected], abs=2e-6)


def test_pictures_of_one_occasion_become_their_mean_weighted_by_quality(gallery):
    x = 5 * vectors(3)
    gallery.enrol("Ada", x, quality=np.array([1.0, 3.0, 0.0]))
    mean = x[0] / 5 + 3 * x[1] / 5
    [[match]] = gallery.search(mean[None])
    assert match.score == pytest.approx(1, abs=1e-6)
    assert gallery.identities() == {"Ada": 1}
    gallery.enrol("Ada", x[2:])
    assert gallery.identities() == {"Ada": 2}
    assert gallery.search(x[2:])[0][0].score == pytest.approx(1, abs=1e-6)


def test_many_at_once_are_one_template_a_name(gallery):
    x = vectors(6)
    numbers = gallery.enrol_all(["b", "a", "b", "c", "a", "a"], x)
    assert len(numbers) == 3
    assert gallery.identities() == {"a": 1, "b": 1, "c": 1}
    mean = x[[1, 4, 5]].sum(axis=0)
    assert gallery.search(mean[None])[0][0] == Match("a", pytest.approx(1, abs=1e-6))


def test_a_tie_goes_by_name(gallery):
    x = vectors(1)
    for name in ("d", "b", "c", "a", "b"):
        gallery.enrol(name, x)
    assert names(gallery.search(x, 3)) == [["a", "b", "c"]]


def test_a_threshold_makes_it_an_open_set(gallery):
    x = vectors(2)
    gallery.enrol("Ada", x[:1])
    probe = x[0] + 0.5 * x[1]
    score = gallery.search(probe[None])[0][0].score
    assert names(gallery.search(probe[None], threshold=score)) == [["Ada"]]
    assert gallery.search(probe[None], threshold=score + 1e-6) == [[]]
    assert gallery.search(-x[:1], threshold=0.0) == [[]]


def test_an_empty_gallery_knows_nobody_and_no_probe_is_no_answer(gallery):
    assert gallery.search(vectors(2), 3) == [[], []]
    assert gallery.search(vectors(0).reshape(0, D)) == []
    assert gallery.identities() == {}


def test_what_was_enrolled_is_there_when_it_is_opened_again(address):
    x = vectors(3)
    with open_gallery(address, fingerprint="net", dimensions=D, create=True) as gallery:
        gallery.enrol("Ada", x[:1])
    with open_gallery(address, fingerprint="net") as gallery:
        assert (gallery.fingerprint, gallery.dimensions) == ("net", D)
        assert names(gallery.search(x[:1])) == [["Ada"]]


def test_another_who_has_it_open_sees_what_is_enrolled_and_erased(gallery, address):
    x = vectors(3)
    with open_gallery(address, fingerprint="net") as other:
        assert other.search(x[:1]) == [[]]
        gallery.enrol("Ada", x[:1])
        assert names(other.search(x[:1])) == [["Ada"]]
        other.enrol("Ben", x[1:2])
        assert names(gallery.search(x[1:2], 2)) in ([["Ben", "Ada"]], [["Ben"]])
        gallery.erase("Ada")
        assert names(other.search(x[:1], 2)) == [["Ben"]]


def test_an_erased_identity_is_found_no_more_and_its_name_leaves_the_log(gallery):
    x = vectors(3)
    gallery.enrol("Ada", x[:1])
    gallery.enrol("Ada", x[1:2])
    gallery.enrol("Ben", x[2:])
    gallery.search(x[:1])
    done = gallery.erase("Ada")
    assert (done.identity, done.templates, done.gone) == ("Ada", 2, True), done.why
    assert gallery.identities() == {"Ben": 1}
    assert names(gallery.search(x[:1], 5)) == [["Ben"]]
    log = gallery.audit()
    assert [(event.what, event.identity, event.number) for event in log] == [
        ("create", "", 0),
        ("enrol", done.receipt, 1),
        ("enrol", done.receipt, 1),
        ("enrol", "Ben", 1),
        ("search", done.receipt, 1),
        ("erase", done.receipt, 2),
        ("search", "Ben", 1),
    ]
    assert "Ada" not in str(log)
    with pytest.raises(FacelabError, match="nobody called 'Ada' is in"):
        gallery.erase("Ada")


def test_several_are_erased_at_once_or_nobody(gallery):
    gallery.enrol_all(["a", "b", "c"], vectors(3))
    gallery.enrol("b", vectors(1, seed=1))
    with pytest.raises(FacelabError, match="nobody called 'x' is in"):
        gallery.erase_all(["a", "x"])
    assert gallery.identities() == {"a": 1, "b": 2, "c": 1}
    done = gallery.erase_all(["b", "a", "b"])
    assert [(one.identity, one.templates, one.gone) for one in done] == [("b", 2, True), ("a", 1, True)]
    assert len({one.receipt for one in done}) == 2
    assert gallery.identities() == {"c": 1}
    assert gallery.erase_all([]) == []


def test_who_comes_back_after_an_erasure_is_new(gallery):
    x = vectors(2)
    first = gallery.enrol("Ada", x[:1])
    receipt = gallery.erase("Ada").receipt
    assert gallery.enrol("Ada", x[1:]) > first
    assert gallery.erase("Ada").receipt != receipt


def test_the_log_says_who_asked_when_and_what_the_answer_was(address):
    x = vectors(2)
    with open_gallery(address, fingerprint="net", dimensions=D, create=True, by="Cleo") as gallery:
        gallery.enrol("Ada", x[:1])
        gallery.search(x, 2, threshold=0.9)
        log = gallery.audit()
    assert [event.by for event in log] == ["Cleo"] * 4
    assert [event.when for event in log] == sorted(event.when for event in log)
    assert log[0].when.utcoffset().total_seconds() == 0
    assert [(event.identity, event.number, event.score, event.threshold) for event in log[2:]] == [
        ("Ada", 1, 1.0, 0.9),
        ("", 0, None, 0.9),
    ]


def test_another_networks_embeddings_are_refused(gallery, address):
    for fingerprint, dimensions, said in (
        ("other", D, "holds embeddings of the network net, not of other"),
        ("net+flip", D, "holds embeddings of the network net, not of net with --flip"),
        ("net", 8, f"holds embeddings of {D} dimensions, not of 8"),
    ):
        with pytest.raises(FacelabError, match=said):
            open_gallery(address, fingerprint=fingerprint, dimensions=dimensions)
    with pytest.raises(FacelabError, match=f"holds embeddings of {D} dimensions"):
        gallery.enrol("Ada", np.ones((1, 8)))


def test_without_a_fingerprint_it_lists_and_erases_alone(gallery, address):
    gallery.enrol("Ada", vectors(1))
    with open_gallery(address) as other:
        for call in (lambda: other.enrol("Ben", vectors(1)), lambda: other.search(vectors(1))):
            with pytest.raises(FacelabError, match="opened without a fingerprint"):
                call()
        assert other.identities() == {"Ada": 1}
        assert other.erase("Ada").gone


@pytest.mark.parametrize(
    ("identity", "embeddings", "quality", "said"),
    [
        ("", vectors(1), None, "cannot be the name"),
        ("a\nb", vectors(1), None, "cannot be the name"),
        ("\ud800", vectors(1), None, "cannot be the name"),
        ("x" * 201, vectors(1), None, "cannot be the name"),
        ("erased-1", vectors(1), None, "stand for erased"),
        ("Ada", np.zeros((1, D)), None, "embedding 0 is zero"),
        ("Ada", np.full((1, D), np.nan), None, "embedding 0 is not finite"),
        ("Ada", vectors(1)[0], None, "expected"),
        ("Ada", np.zeros((0, D)), None, "no embeddings to enrol"),
        ("Ada", vectors(2), np.array([1.0, -1.0]), "the weight of image 1 is -1"),
        ("Ada", vectors(2), np.array([1.0]), "expected one for each of 2"),
        ("Ada", vectors(2), np.zeros(2), "cancel out"),
        ("Ada", np.concatenate([vectors(1), -vectors(1)]), None, "cancel out"),
    ],
)
def test_what_is_refused_changes_nothing(gallery, identity, embeddings, quality, said):
    gallery.enrol("Ben", vectors(1))
    before = gallery.audit()
    with pytest.raises(FacelabError, match=said):
        gallery.enrol(identity, embeddings, quality)
    assert gallery.identities() == {"Ben": 1}
    assert gallery.audit() == before


def test_a_search_that_cannot_be_is_refused(gallery):
    for call, said in (
        (lambda: gallery.search(vectors(1), 0), "k = 0"),
        (lambda: gallery.search(vectors(1), threshold=np.nan), "threshold NaN"),
        (lambda: gallery.search(np.zeros((1, D))), "embedding 0 is zero"),
    ):
        with pytest.raises(FacelabError, match=said):
            call()


def test_a_name_is_one_name_however_its_accents_are_written(gallery):
    gallery.enrol("Jose\u0301", vectors(1))
    assert gallery.identities() == {"Jos\u00e9": 1}
    assert gallery.erase(" Jos\u00e9").templates == 1


def test_it_is_created_once_and_opened_only_if_it_is_there(address, tmp_path):
    with pytest.raises(FacelabError, match="needs the fingerprint"):
        open_gallery(address, create=True)
    with pytest.raises(FacelabError, match="dimensions = 0"):
        open_gallery(address, fingerprint="net", dimensions=0, create=True)
    with pytest.raises(FacelabError, match="there is no gallery"):
        open_gallery(address)
    open_gallery(address, fingerprint="net", dimensions=D, create=True).close()
    with pytest.raises(FacelabError, match="is there already"):
        open_gallery(address, fingerprint="net", dimensions=D, create=True)
    with pytest.raises(FacelabError, match="no gallery is kept there"):
        open_gallery("s3://bucket/faces.db")
    with pytest.raises(FacelabError, match="looks like PostgreSQL's form") as refused:
        open_gallery("host=server password=secret")
    assert "secret" not in str(refused.value)


def test_threads_share_one(gallery):
    x, wrong = vectors(20), []
    gallery.enrol_all([f"p{row}" for row in range(10)], x[:10])

    def work(rows):
        for row in rows:
            gallery.enrol(f"p{row}", x[row : row + 1])
            if names(gallery.search(x[row : row + 1])) != [[f"p{row}"]]:
                wrong.append(row)

    threads = [threading.Thread(target=work, args=(range(start, 20, 2),)) for start in (10, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(gallery.identities()) == 20
