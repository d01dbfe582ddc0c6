"""The plan of a study: what will be run, written down before it is."""

import datetime
import importlib
import re
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator

from facelab.errors import FacelabError
from facelab.strict import Strict, read_toml
from facelab.study.experiment import Experiment

PLANS = Path(__file__).parent / "plans"

EXPERIMENTS = {
    "coverage": ("facelab.study.coverage", "Coverage"),
    "alignment": ("facelab.study.alignment", "Alignment"),
    "costs": ("facelab.study.costs", "Costs"),
    "detection": ("facelab.study.detection", "Detectors"),
    "losses": ("facelab.study.losses", "Losses"),
    "ablations": ("facelab.study.ablations", "Ablations"),
    "synthfaces": ("facelab.study.synthfaces", "SynthFacesCard"),
    "celeba500": ("facelab.study.celeba500", "CelebA500"),
    "transfer": ("facelab.study.transfer", "Transfer"),
    "factors": ("facelab.study.factors", "Factors"),
    "noise": ("facelab.study.noise", "Noise"),
}


class Change(Strict):
    """A change of a plan that had been written down."""

    date: datetime.date
    reason: str = Field(min_length=1, description="what was changed, and why")


class Plan(Strict):
    """A study: its name, what it asks, what kind of experiment it is with its settings, and how it was changed.

    Attributes:
        threads: of torch in every run. Their number decides the last bits of a training, so it belongs to the plan.
    """

    name: str
    title: str = Field(min_length=1)
    experiment: str
    threads: int = Field(1, ge=1)
    settings: Experiment
    changes: tuple[Change, ...] = ()

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
            raise FacelabError(f"{name!r} is to name files: small letters, digits and hyphens")
        return name

    @classmethod
    def parse(cls, values: dict[str, Any], source: str = "plan") -> Self:
        """Make a plan from nested dictionaries.

        Raises:
            FacelabError: an unknown kind of experiment or field, or a value out of its range; one line that names it.
        """
        kind = values.get("experiment")
        if kind not in EXPERIMENTS:
            raise FacelabError(f"{source}: experiment = {kind!r}: give one of {', '.join(EXPERIMENTS)}.")
        module, name = EXPERIMENTS[kind]
        settings = getattr(importlib.import_module(module), name).parse(
            values.get("settings", {}), f"{source}: [settings]"
        )
        return super().parse({**values, "settings": settings}, source)

    @classmethod
    def load(cls, plan: Path | str, data: str | None = None) -> Self:
        """Read a plan: one that comes with facelab, by its name, or a TOML file.

        Args:
            plan: the name or the file.
            data: where the set lies that the plan is about, see :meth:`facelab.study.experiment.Experiment.on`.
        """
        path = plan_file(plan)
        loaded = cls.parse(read_toml(path, f"Give a TOML file, or one of: {', '.join(plans())}."), path.name)
        if data is None:
            return loaded
        return loaded.model_copy(update={"settings": loaded.settings.on(data)})

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as JSON can hold them."""
        return self.model_dump(mode="json", serialize_as_any=True)


def plans() -> list[str]:
    """Return the names of the plans that come with facelab."""
    return sorted(path.stem for path in PLANS.glob("*.toml"))


def plan_file(plan: Path | str) -> Path:
    """Return the file of a plan: one that comes with facelab, by its name, or the path itself."""
    known = PLANS / f"{plan}.toml"
    return known if known.is_file() else Path(plan)
