"""``{api} facelab.ROOM``: the reference of one room, made from its docstrings.

First what the room offers at its door (``__all__``), then the other public names of its files. Every cross reference in
a docstring is checked by the strict build; a name may be given by any path under which Python finds it.
"""

import dataclasses
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from matplotlib.artist import Artist
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

import facelab

LEFT_OUT = ("facelab.synth.kernels", "facelab.synth.resident")  # compiled by warp, not called by readers


class Api(SphinxDirective):
    """The directive; its arguments are modules or packages, documented one after the other."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        container = nodes.container()
        lines = [line for name in self.arguments[0].split() for line in _room(name)]
        self.state.nested_parse(_rst(lines), self.content_offset, container, match_titles=True)
        return container.children


def _rst(lines: list[str]) -> Any:
    from docutils.statemachine import StringList

    return StringList(["```{eval-rst}", *lines, "```"], source="api")


def _room(name: str) -> list[str]:
    room = importlib.import_module(name)
    lines = [f".. automodule:: {name}", ""]
    door = list(getattr(room, "__all__", ()))
    lines += _summary(name, [each for each in door if _kind(getattr(room, each)) != "data"])
    lines += [line for each in door for line in _entry(name, each, getattr(room, each))]
    shown = {_identity(getattr(room, each)) for each in door}
    for module in _modules(room):
        others = [each for each, value in _public(module) if _identity(value) not in shown and each not in door]
        if others:
            lines += [f".. rubric:: {module.__name__}", "", f".. currentmodule:: {module.__name__}", ""]
            lines += [line for each in others for line in _entry(module.__name__, each, getattr(module, each))]
    return lines


def _modules(room: ModuleType) -> list[ModuleType]:
    """The room's own files; a module that is no package stands for itself."""
    if not hasattr(room, "__path__"):
        return [room]
    found = pkgutil.iter_modules(room.__path__, f"{room.__name__}.")
    return [importlib.import_module(info.name) for info in found if info.name not in LEFT_OUT]


def _public(module: ModuleType) -> list[tuple[str, Any]]:
    """What a module itself defines, without a leading underscore, in the order of the file; constants too."""
    source = inspect.getsource(module)
    return [
        (name, value)
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (
            re.search(rf"^{name}\b[^=\n]*= ", source, re.MULTILINE)
            if name.isupper()
            else _kind(value) != "data" and value.__module__ == module.__name__
        )
    ]


def _identity(value: Any) -> Any:
    """What two names of one object have in common, also after a module was read twice; of data, the object."""
    return (value.__module__, value.__qualname__) if hasattr(value, "__qualname__") else id(value)


def _summary(module: str, names: list[str]) -> list[str]:
    if not names:
        return []
    rows = [f"   {name}" for name in names]
    return [f".. currentmodule:: {module}", "", ".. autosummary::", "   :nosignatures:", "", *rows, ""]


def _entry(module: str, name: str, value: Any) -> list[str]:
    kind = _kind(value)
    if kind == "data":
        said = f"Shape {value.shape}." if hasattr(value, "shape") else f"``{value!r}``"
        said = type(value).__name__ if len(said) > 300 or isinstance(value, Path) else said
        return [f".. py:data:: {name}", f"   :module: {module}", "", f"   {said}", ""]
    members = ["   :members:", "   :show-inheritance:"] if kind == "class" else []
    if dataclasses.is_dataclass(value):  # its fields stand among the attributes
        members.append(f"   :exclude-members: {', '.join(field.name for field in dataclasses.fields(value))}")
    if kind == "class" and issubclass(value, Artist):
        members.append("   :exclude-members: set")  # which matplotlib makes for every class
    return [f".. auto{kind}:: {module}.{name}", *members, ""]


def _kind(value: Any) -> str:
    return "class" if inspect.isclass(value) else "function" if inspect.isroutine(value) else "data"


def find_by_object(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Node | None:
    """Resolve a Python reference whose path differs from the one under which the object is documented."""
    if node.get("refdomain") != "py":
        return None
    domain, target = env.get_domain("py"), node["reftarget"]
    wanted = _found(target) or _found(f"{node.get('py:module')}.{target}")
    for name, entry in domain.objects.items():
        same = name.rpartition(".")[2] == target.rpartition(".")[2]
        if same and (_found(name) == wanted if wanted else "." not in target):
            reference = app.builder
            uri = reference.get_relative_uri(node["refdoc"], entry.docname) + "#" + entry.node_id
            return nodes.reference("", "", content, internal=True, refuri=uri, reftitle=name)
    return None


def _found(path: str) -> Any:
    """The identity of what a dotted path names; None if it names nothing."""
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            value = getattr(value, part, None)
        return _identity(value) if value is not None and cut < len(parts) else None
    return None


def import_all(app: Sphinx) -> None:
    """Import the package before autodoc does, which would read modules a second time to see their types' imports."""
    for info in pkgutil.walk_packages(facelab.__path__, "facelab."):
        if info.name not in (*LEFT_OUT, "facelab.__main__"):
            importlib.import_module(info.name)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("api", Api)
    app.connect("builder-inited", import_all)
    app.connect("missing-reference", find_by_object)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
