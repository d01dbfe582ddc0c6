"""The examples of the page of figures."""

import inspect

from facelab.course.figures import EXAMPLES, call, page


def test_every_figure_with_photographs_names_whose_they_are() -> None:
    cells = {"".join(cell["source"]): cell for cell in page()["cells"]}
    shown = {name for name, example in EXAMPLES.items() if "data.photographs" in inspect.getsource(example.draw)}
    assert {"draw_detections", "detections_sheet", "chips_by_method"} < shown
    for name in EXAMPLES:
        caption = cells[call(name)]["metadata"]["mystnb"]["figure"]["caption"]
        assert ("AT&T Laboratories Cambridge" in caption) == (name in shown), name
