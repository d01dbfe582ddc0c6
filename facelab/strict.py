"""Settings that people write in files: every field known and checked, and one clear line for a wrong one."""

import difflib
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from facelab.errors import FacelabError, cut, shown
from facelab.files import read_text

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")  # of a model, of a dataclass in it


class Strict(BaseModel):
    """Settings that do not change once made, take no field that they do not know, and no ``true`` or text as number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _take_no_number_for_another(cls, value: Any, info: ValidationInfo) -> Any:
        takes = _leaves(cls.model_fields[str(info.field_name)].annotation)
        for leaf in _flat(value):
            if type(leaf) in takes or not isinstance(leaf, bool | int | float | str):
                continue
            if takes & {int, float} and isinstance(leaf, bool | str):
                raise PydanticCustomError("number", "a number is wanted")
            if bool in takes and not takes & {int, float, str}:
                raise PydanticCustomError("truth", "true or false is wanted")
        return value

    @classmethod
    def parse(cls, values: dict[str, Any], source: str = "") -> Self:
        """Make the settings from nested dictionaries.

        Args:
            values: of the fields.
            source: where they were read; by default the name of the class stands for it.

        Raises:
            FacelabError: an unknown field or a value out of its range; one line that names source, field and value.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            # A misspelt field is unknown and another one missing: the unknown one says more.
            first = min(error.errors(), key=lambda one: one["type"] not in _UNKNOWN)
            source, field = source or cls.__name__.lower(), cut(".".join(map(str, first["loc"])))
            if first["type"] == "value_error":  # from a check of several fields; it names them
                where = f"{source}: {field}" if field else source
                raise FacelabError(f"{where}: {str(first['ctx']['error']).rstrip('.')}.") from error
            if first["type"] == "missing":
                raise FacelabError(f"{source}: {field} is missing.") from error
            said = "there is no such field" if first["type"] == _UNKNOWN[0] else first["msg"].lower()
            said += _nearest(cls, first["loc"]) if first["type"] in _UNKNOWN else ""
            raise FacelabError(f"{source}: {field} = {shown(first['input'])}: {said}.") from error


def _leaves(annotation: Any) -> set[type]:
    """Return the types that a field is made of in the end: of ``tuple[float, ...] | None`` float and None's."""
    if get_origin(annotation) is Literal:
        return {type(value) for value in get_args(annotation)}
    parts = get_args(annotation)
    return set().union(*map(_leaves, parts)) if parts else {annotation}


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for one in value:
            yield from _flat(one)
    else:
        yield value


def _nearest(model: Any, place: tuple[str | int, ...]) -> str:
    """Say which field of a model, or of one in it, a misspelt one may have meant; or which there are."""
    for name in place[:-1]:
        model = model.model_fields[name].annotation if name in getattr(model, "model_fields", {}) else None
    fields = list(getattr(model, "model_fields", {}))
    close = difflib.get_close_matches(str(place[-1]), fields, n=1)
    if close:
        return f"; perhaps {close[0]} is meant"
    return f"; there are: {', '.join(fields)}" if fields else ""


def read_toml(path: Path | str, remedy: str) -> dict[str, Any]:
    """Return the values of a TOML file.

    Raises:
        FacelabError: it cannot be read (the message ends with the remedy), or is not valid TOML.
    """
    text = read_text(path, remedy)
    try:
        values = tomllib.loads(text)
        json.dumps(values, default=str)  # what is nested more deeply than can be read again ends here
    except RecursionError as error:
        raise FacelabError(f"{path} is nested too deeply.") from error
    except ValueError as error:  # of the syntax, or a number of more digits than Python reads
        raise FacelabError(f"{path} is not valid TOML: {str(error)[:300]}.") from error
    return values
