"""What the verbs share: the program, the console, and how a run ends."""

import importlib
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperCommand

from facelab import __version__
from facelab.errors import FacelabError

typer_app = typer.Typer(
    help="Face recognition, step by step: detect, align, embed, match. Start with: facelab quickstart",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)
console = Console()

Network = Annotated[
    Path,
    typer.Argument(
        help="A network that a training saved (.pt) or facelab export wrote (.onnx), or one of facelab's own: "
        "{networks}."
    ),
]
Flip = Annotated[
    bool,
    typer.Option("--flip", help="Add to each embedding that of the mirrored chip, as the field's scripts do."),
]
Kind = Annotated[
    Literal["auto", "chips", "photographs"],
    typer.Option(
        "--images",
        help="What pictures of your own are: aligned chips, or photographs, in which faces are then detected and "
        "aligned. auto looks at some of them, and says what it sees.",
    ),
]
Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:1, mps.")]
Which = Annotated[
    Literal["largest", "middle", "all"],
    typer.Option(help="Of several faces in a photograph: the largest, the one nearest to the middle, or all."),
]
Turns = Annotated[
    bool,
    typer.Option(
        "--turns",
        help="Where no sure upright face is found, also look at the photograph turned by quarters. Without it, faces "
        "that lie on their side are missed, and landmarks on a head upside down are wrong.",
    ),
]

Workers = Annotated[int | None, typer.Option(help="Processes on this machine; by default one per core.")]
Backend = Annotated[Literal["local", "dask", "ray"], typer.Option(help="Where the work is done.")]
Address = Annotated[
    str | None, typer.Option(help="dask and ray: of the scheduler, such as tcp://10.0.0.7:8786, or of the head.")
]

NAMES = {
    "detectors": "facelab.detect.registry:detectors",
    "networks": "facelab.models.shipped:shipped_networks",
}  # {detectors} in a help text -> who knows the names


LARGEST_SEED = 2**32 - 1  # every library takes it


def given(context: typer.Context) -> set[str]:
    """Return the names of the parameters that stand on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}


def refuse(context: typer.Context, names: set[str], because: str) -> None:
    """Raise a :class:`FacelabError` if options stand on the command line that would do nothing."""
    if idle := given(context) & names:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(idle))
        raise FacelabError(f"{options} would do nothing: {because}. Leave it out.")


def say(text: str, style: str = "") -> None:
    """Print a text as it is, whatever names are in it."""
    console.print(text, markup=False, highlight=False, soft_wrap=True, style=style)


TAKEN_AS_THEY_ARE = "chips are taken as they are"
OF_WORKERS = {"workers", "backend", "address"}
OF_PHOTOGRAPHS = {"detector", "method", "which", "turns"}  # options that do nothing for chips


class Verb(TyperCommand):
    """A verb whose help lists names of :data:`NAMES`: read when somebody asks for it, as to read them takes a while."""

    def format_help(self, *arguments: Any) -> None:
        for parameter in self.params:
            for name, place in NAMES.items():
                said = getattr(parameter, "help", None) or ""
                if f"{{{name}}}" in said:
                    module, function = place.split(":")
                    known = ", ".join(getattr(importlib.import_module(module), function)())
                    setattr(parameter, "help", said.replace(f"{{{name}}}", known))  # noqa: B010
        super().format_help(*arguments)


@typer_app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        console.print(f"facelab {__version__}")
        raise typer.Exit


def finish(errors: Sequence[FacelabError], summary: str) -> None:
    """Report files that were skipped; the exit code says whether there were any."""
    for error in errors:
        console.print(f"[yellow]skipped:[/] {escape(str(error))}", soft_wrap=True)
    say(summary)
    if errors:
        raise typer.Exit(1)


def app(arguments: Sequence[str] | None = None) -> None:
    """Run the command line: a mistake that the user can mend is one line, not a traceback, and so is a warning."""

    said = set()

    def warn(message: Warning | str, *_: object) -> None:
        if str(message) in said:  # a file may be read more than once
            return
        said.add(str(message))
        Console(stderr=True).print(f"[yellow]facelab:[/] {escape(str(message))}", soft_wrap=True, highlight=False)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = warn  # type: ignore[assignment]
            typer_app(arguments)
    except FacelabError as error:
        message = escape(str(error))
        Console(stderr=True).print(f"[bold red]facelab:[/] {message}", soft_wrap=True, highlight=False)
        sys.exit(2)
