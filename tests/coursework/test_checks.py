"""Hidden checks: what is the same as the right value, what the message says, what travels between the processes."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from facelab.coursework import wire
from facelab.coursework.checks import (
    CallFailed,
    Failed,
    LocalStudent,
    TimedOut,
    Undefined,
    check,
    expect,
    fail,
    run_check,
)

THREE = np.arange(3.0)


def travelled(value):
    return wire.unpack(json.loads(json.dumps(wire.pack(value))))


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (None, None),
        (True, True),
        (10**30, 10**30),
        (-math.inf, -math.inf),
        ("é\n\0", "é\n\0"),
        ((1, (2.5, "x")), [1, [2.5, "x"]]),
        ({3, 1, 2}, [1, 2, 3]),
        ({1: {"a": (1,)}, (0, 1): None}, {1: {"a": [1]}, (0, 1): None}),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.int64(7), 7),
        (np.str_("id"), "id"),
        (pd.Series(["a", None], dtype=object), ["a", None]),
        (..., ...),
    ],
    ids=repr,
)
def test_plain_values_travel(value, arrives):
    got = travelled(value)
    assert got == arrives
    assert type(got) is type(arrives)


@pytest.mark.parametrize("kind", ["bool", "uint8", "int64", "float16", "float32", "float64", ">f8"])
@pytest.mark.parametrize("shape", [(), (0, 4), (2, 3)])
def test_arrays_travel(kind, shape):
    array = np.ones(shape, kind)
    got = travelled(array)
    assert got.dtype == array.dtype.newbyteorder("<")
    assert got.shape == shape
    np.testing.assert_array_equal(got, array)


def test_arrays_of_every_order_and_nan_travel():
    array = np.asfortranarray(np.array([[1.0, np.nan], [np.inf, -0.0]]))[:, ::-1]
    np.testing.assert_array_equal(travelled(array), array)
    assert math.isnan(travelled(math.nan))


def test_tensors_and_tables_travel_as_arrays():
    got = travelled(torch.ones(2, 3, requires_grad=True, dtype=torch.bfloat16))
    np.testing.assert_array_equal(got, np.ones((2, 3), np.float32))
    table = travelled(pd.DataFrame({"identity": ["a", "b"], "score": [0.5, 1]}))
    assert table["identity"] == ["a", "b"]  # an array of objects, which need not be text
    np.testing.assert_array_equal(table["score"], [0.5, 1])


@pytest.mark.parametrize("array", [np.array(["s01", "", "é"]), np.array([["a"], ["bcd"]]), np.zeros((0, 2), np.str_)])
def test_text_travels_as_an_array_so_that_it_can_be_compared(array):
    got = travelled(array)
    assert got.dtype.kind == "U"
    assert got.shape == array.shape
    np.testing.assert_array_equal(got == "a", array == "a")
    student = LocalStudent(["def count(identity): return (identity == 'a').sum()"])
    assert student.call("count", array) == (array == "a").sum()
    expect(got, array.tolist())
    expect(array.tolist(), got)


@pytest.mark.parametrize(
    "value",
    [object(), 1j, [print], {"a": np.array([1j])}, torch.nn.Linear(1, 1)],
    ids=lambda value: type(value).__name__,
)
def test_what_does_not_travel_is_named(value):
    with pytest.raises(wire.NotPlain):
        wire.pack(value)


@pytest.mark.parametrize(
    "packed",
    [
        {},
        {"other": 1},
        {"dict": [[1]]},
        {"dict": [[{"dict": []}, 1]]},
        {"array": "AAAA", "dtype": "|O8", "shape": [1]},
        {"array": "AAAA", "dtype": "<f4", "shape": [1]},
        {"array": "AAAAAA==", "dtype": "<f4", "shape": [2]},
        {"array": "AAAAAA==", "dtype": "<f3", "shape": [1]},
        {"array": "AAAAAA==", "dtype": "<f4", "shape": ["1"]},
        {"array": "é", "dtype": "<f4", "shape": [1]},
        {"texts": ["a", 1], "shape": [2]},
        {"texts": ["a"], "shape": [2]},
        {"texts": ["a"], "shape": ["1"]},
        {"texts": [], "shape": [1 << 40, 0]},  # as lists it would take all memory of the grader
        {"array": "", "dtype": "<f4", "shape": [1 << 20, 1 << 20, 0]},
        [1, [{"x": 1}]],
    ],
    ids=repr,
)
def test_what_was_not_packed_is_no_value(packed):
    with pytest.raises(ValueError):  # noqa: PT011 - every one is
        wire.unpack(packed)


def test_a_value_is_what_it_holds_not_what_it_says():
    class Always(float):
        def __eq__(self, other):
            return True

        __hash__ = None

        def __repr__(self):
            return "2.0"

    class Rows(list):
        def __len__(self):
            return 3

    assert travelled(Always(1)) == 1
    assert type(travelled(Always(1))) is float
    assert travelled(Rows([1])) == [1]


@pytest.mark.parametrize(
    ("got", "right"),
    [
        ([0, 1, 2], THREE),
        (THREE.astype(np.float32), [0, 1, 2]),
        (THREE, torch.arange(3)),
        (1 / 3, np.float32(1 / 3)),
        (np.array(0.5), 0.5),
        (np.nan, math.nan),
        ([], np.zeros(0)),
        (1, True),
        (3.0, 3),
        ([1, [2.0, 3]], (1, (2, np.float32(3)))),
        (["a", 1.0], ["a", 1]),
        (["a", "b"], np.array(["a", "b"])),
        ({"a": [1], "b": "x"}, {"b": "x", "a": (1.0,)}),
        (None, None),
        ([1, 2], {2, 1}),
    ],
    ids=repr,
)
def test_the_same_value_in_another_form_is_right(got, right):
    expect(got, right)


@pytest.mark.parametrize(
    ("got", "right", "said"),
    [
        (None, 1.5, "None came; does the function end with return?"),
        ("1.5", 1.5, "'1.5', of type str came, a number is wanted"),
        ([1.5], 1.5, "a list of length 1 came, not a number"),
        (np.ones((3, 1)), THREE, r"shape \(3, 1\) and type float64 came, not numbers of shape \(3,\)"),
        (math.nan, 1.5, "nan came, a finite number is wanted"),
        (1.4, 1.5, "1.4 came, which is too small"),
        (-1.5, 1.5, "-1.5 came, its sign is wrong"),
        ([0, 1, 2.1], THREE, r"2 of 3 numbers are right; at \[2\] 2.1 came, which is too large"),
        (1000001, 1000000, "too large"),  # whole numbers are exact
        (True, "a", "True, of type bool came, a text is wanted"),
        ("yes", True, "True or False is wanted"),
        ({"a": 1}, {"b": 1}, r"the keys are \['a'\]"),
        ({"a": 1}, {"a": 2}, "a dict of length 1 came"),
        (["a", "c"], ["a", "b"], "a list of length 2 came"),
        ([[1], [1, 2]], np.ones((2, 2)), "not numbers of shape"),
        (10**400, 1.5, "a number is wanted"),
        (1.5, None, "1.5, of type float came"),
    ],
    ids=repr,
)
def test_a_message_says_what_came_and_not_what_is_right(got, right, said):
    with pytest.raises(Failed, match=f"^The loss is not right: .*{said}") as failed:
        expect(got, right, what="the loss")
    if isinstance(right, float):
        assert str(right) not in str(failed.value).replace(str(got), "")


def test_the_first_mistake_that_fits_is_told_and_the_right_value_comes_first():
    wrong = [(THREE, "never"), (lambda got: got["no"], "raises"), (lambda got: len(got) == 2, "two"), ([1, 1], "ones")]
    with pytest.raises(Failed, match="two"):
        expect([1, 1], THREE, wrong=wrong)
    with pytest.raises(Failed, match="ones"):
        expect(np.ones(2), THREE, wrong=wrong[3:])
    expect(THREE, THREE, wrong=wrong)


def ask(student, function):
    return run_check(check(points=2, about="it")(function), student)


STUDENT = LocalStudent(
    [
        "%matplotlib inline\nimport numpy as np\nimport numpy as other",
        "%%time\nx = [1, 2]\nopen_question = ...\nbound = 1",
        "later = unknown + 1",
        "def scale(x, by=2):\n    x[0] = 5\n    return x * by",
        "def broken(x):\n    y = x + 1\n    raise KeyError(y)",
        "def unfinished(x):\n    ...\nstill = ...\ndef gives(): return ...",
        "def loop():\n    while True:\n        try: open_question\n        except Exception: pass",
        "def bounded(): return bound",
        "class Box:\n    def get(self): return bound\nbox = Box()\ndef boxed(): return Box().get()",
        "%%bash\nrm -rf nothing",
        "import sys; sys.exit(3)",
    ]
)


def test_a_check_calls_and_earns():
    sent = THREE.copy()

    def run(student):
        expect(student.call("scale", sent, by=3), [15, 3, 6])
        expect(student.value("x"), [1, 2])
        expect(student.call("scale", sent, tensors=True), [10, 2, 4])

    outcome = ask(STUDENT, run)
    assert (outcome.points, outcome.message, outcome.fault) == (2, "", "")
    np.testing.assert_array_equal(sent, THREE)  # the student got a copy


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda student: student.call("nms"), "nms is not defined. Keep this name."),
        (
            lambda student: student.value("later"),
            "later is not defined. The cell that should define it stopped: "
            "NameError: name 'unknown' is not defined (line 1 of its cell)",
        ),
        (lambda student: student.value("still"), "still is still `...`: write your answer there."),
        (lambda student: student.call("gives"), "gives is still `...`: write your answer there."),
        (lambda student: student.call("broken", 1), "broken() stopped: KeyError: 2 (line 3 of its cell)"),
        (lambda student: student.call("x"), "x() stopped: TypeError: 'list' object is not callable"),
        (lambda student: student.value("scale"), "scale is of type function; numbers, text, lists, dicts and arrays"),
        (lambda student: student.call("loop", seconds=0.1), "It took more than 0.1 s."),
        (lambda student: expect(student.call("unfinished", 1), 1), "The result is not right: None came; does the"),
        (lambda student: fail("You forgot the margin."), "You forgot the margin."),
        (lambda student: student.value("x")[7], "What came has not the form that the task asks for."),
    ],
)
def test_a_check_that_does_not_hold_earns_nothing_and_says_why(run, message):
    outcome = ask(STUDENT, run)
    assert outcome.points == 0
    assert outcome.message.startswith(message)
    assert bool(outcome.fault) == message.startswith("What came")


def test_a_check_may_want_an_error():
    with pytest.raises(CallFailed) as failed:
        STUDENT.call("broken", 1)
    assert failed.value.kinds[:2] == ("KeyError", "LookupError")
    with pytest.raises(Undefined):
        STUDENT.call("nobody")
    with pytest.raises(TimedOut):
        STUDENT.call("loop", seconds=0.1)


def test_a_twin_changes_nothing_and_its_functions_see_its_names():
    twin = STUDENT.twin()
    twin.run(["x.append(3)\nbound = 2"])
    assert twin.value("x") == [1, 2, 3]
    assert (twin.call("bounded"), twin.call("boxed")) == (2, 2)
    assert STUDENT.value("x") == [1, 2]
    assert (STUDENT.call("bounded"), STUDENT.call("boxed")) == (1, 1)


def test_what_a_function_uses_is_read_from_the_text():
    student = LocalStudent()
    student.cells = [
        "import facelab.evaluate as ev, torch.nn\nfrom facelab.detect import nms as theirs, boxes",
        "def iou(a, b):\n    import numpy as np\n    return np.minimum(a, b) / helper(a)",
        "def helper(a): return boxes.area(a)\nshort = ev.wilson(1, 2)\nmine, yours = theirs, helper",
        "def broken(:",
    ]
    assert student.uses("short") == {"facelab.evaluate", "facelab.evaluate.wilson"}
    assert {"numpy.minimum", "facelab.detect.boxes.area", "helper"} <= student.uses("iou")
    assert {"facelab.detect.nms", "facelab.detect.boxes.area"} <= student.uses("mine")
    assert student.uses("nobody") == set()


def test_who_compares_with_a_package_elsewhere_uses_nothing_of_it():
    """Names of other cells, a first try and an import that a function replaced are not what the function uses."""
    student = LocalStudent()
    student.cells = [
        "import facelab.evaluate as ev\nfrom facelab.evaluate import tar, rank\nfar = best = ev.tar(1)",
        "def tar(scores, far):\n    return ev.tar(scores, far)  # a first try",
        "def tar(scores, far):\n    best = max(scores)\n    return [best for ev in scores if ev > far]",
        "def compare(x):\n    from facelab.evaluate import tar\n    return tar(x)",
        "def held(x): return tar(x, rank(x))\nfar = scores = ev.tar(2)",
        "def all_of_it(x):\n    global far\n    far = far.shape\n    return far",
    ]
    assert not any("facelab" in used for used in student.uses("tar"))
    assert {used for used in student.uses("held") if "facelab" in used} == {"facelab.evaluate.rank"}
    assert "facelab.evaluate.tar" in student.uses("compare")
    assert "facelab.evaluate.tar" in student.uses("all_of_it")
    student.cells.append("from facelab.evaluate import tar")
    assert student.uses("tar") == {"facelab.evaluate.tar"}


@pytest.mark.parametrize("code", ["-" * 200_000 + "1", "a" + ".b" * 3000, "(" * 300 + ")" * 300, "\0"], ids=len)
def test_code_that_is_hard_to_read_costs_nothing_else(code):
    student = LocalStudent()
    student.cells = ["import numpy as np", f"def hard():\n    return {code}", "def mean(x): return np.mean(x)"]
    assert student.uses("mean") == {"numpy.mean", "numpy", "x"}
    student.uses("hard")


@pytest.mark.parametrize("arguments", [{"points": 0, "about": "it"}, {"points": 1, "about": " "}])
def test_a_check_has_points_and_a_subject(arguments):
    with pytest.raises(ValueError, match="a check needs points above 0"):
        check(**arguments)
