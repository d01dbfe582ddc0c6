"""The sketch of a service in chapter 14 is started as it stands there, and asked."""

import json
import re
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from tornado.testing import AsyncHTTPTestCase

from facelab.search import open_gallery

CHAPTER = Path(__file__).parents[2] / "notebooks" / "14_production.ipynb"
FACES = {b"Ada": [1.0, 0.0], b"Ada again": [0.9, 0.1], b"Ben": [0.0, 1.0], b"nobody": [-1.0, 0.2]}


def sketch() -> dict:
    """Return what the sketch defines."""
    texts = ["".join(cell["source"]) for cell in json.loads(CHAPTER.read_text("utf8"))["cells"]]
    (code,) = (code for text in texts for code in re.findall(r"~~~python\n(.*?)~~~", text, re.S) if "tornado" in code)
    defined: dict = {}
    exec(code, defined)
    return defined


class TestService(AsyncHTTPTestCase):
    @pytest.fixture(autouse=True)
    def _gallery(self, tmp_path):
        with open_gallery(tmp_path / "faces.db", fingerprint="f", dimensions=2, create=True) as self.gallery:
            yield

    def get_app(self):
        self.sketch, today = sketch(), date.today()
        self.consents = {"Ada": today, "Ben": today - timedelta(days=1)}
        callers, embed = {"key": "door", "other key": "desk"}, lambda photograph: np.array([FACES[photograph]])
        return self.sketch["make_app"](self.gallery, embed, 0.8, callers, self.consents, limit=3)

    def ask(self, method: str, path: str, body: bytes | None = None, key: str = "key") -> tuple[int, dict]:
        answer = self.fetch(path, method=method, body=body, headers={"Authorization": key})
        return answer.code, json.loads(answer.body) if answer.code == 200 and answer.body else {}

    def test_enrol_search_and_leave(self):
        assert self.ask("PUT", "/people/Ada", b"Ada") == (200, {})
        code, found = self.ask("POST", "/search", b"Ada again")
        (match,) = found["for a person to decide"]
        assert (code, match["identity"], round(match["score"], 2)) == (200, "Ada", 0.99)
        assert self.ask("POST", "/search", b"nobody") == (200, {"for a person to decide": []})
        assert self.ask("DELETE", "/people/Ada") == (200, {"gone": True})
        assert self.ask("POST", "/search", b"Ada again") == (200, {"for a person to decide": []})
        assert {event.by for event in self.gallery.audit() if event.what == "search"} == {"door"}

    def test_without_a_key_or_a_valid_consent_nothing_is_enrolled(self):
        assert self.ask("PUT", "/people/Ada", b"Ada", key="")[0] == 401
        assert self.ask("PUT", "/people/Ben", b"Ben")[0] == 403
        assert self.ask("PUT", "/people/Cy", b"Ben")[0] == 403
        assert self.gallery.identities() == {}

    def test_each_caller_has_a_limit(self):
        assert [self.ask("POST", "/search", b"Ada")[0] for _ in range(4)] == [200, 200, 200, 429]
        assert self.ask("POST", "/search", b"Ada", key="other key")[0] == 200

    def test_at_night_who_has_not_agreed_any_more_is_erased(self):
        self.gallery.enrol("Ada", np.array([FACES[b"Ada"]]))
        self.gallery.enrol("Ben", np.array([FACES[b"Ben"]]))
        self.sketch["forget"](self.gallery, self.consents)
        assert self.gallery.identities() == {"Ada": 1}
