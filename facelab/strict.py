"""Settings that people write in files: every field known and checked, and one clear line for a wrong one."""

import difflib
import json
import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from facelab.errors import FacelabError, cut, shown
from facelab.files import read_text

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")  # of a model, of a dataclass in it


class Strict(BaseModel):
    """Settings that do not change once made, and take no field that they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
            said = first["msg"].lower() + (_nearest(cls, first["loc"]) if first["type"] in _UNKNOWN else "")
            raise FacelabError(f"{source}: {field} = {shown(first['input'])}: {said}.") from error


def _nearest(model: Any, place: tuple[str | int, ...]) -> str:
    """Return which field of a model, or of one in it, a misspelt one may have meant."""
    for name in place[:-1]:
        model = model.model_fields[name].annotation if name in getattr(model, "model_fields", {}) else None
    close = difflib.get_close_matches(str(place[-1]), getattr(model, "model_fields", {}), n=1)
    return f"; perhaps {close[0]} is meant" if close else ""


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
