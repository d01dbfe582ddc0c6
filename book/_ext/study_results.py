"""What the book's page of results shows of each published study, from its file: where it comes from, and tables."""

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
from book_tables import markdown

from facelab.plots.style import display_name
from facelab.study.plan import Plan
from facelab.study.results import Results, published

MOST_ROWS, MOST_COLUMNS = 30, 4  # of a table on the page; all of it is in the package
MAIN = ("centroid", "tar_at_far_0.01")  # the measures of a comparison of losses that its plan calls main
MEASURES = ("accuracy", *MAIN[1:])  # as its comparisons call them; of others, they are in the package
NAMES = {"centroid": "accuracy, nearest centroid", "auc": "AUC", "eer": "EER", "p_holm": "p (Holm)"}


def lines() -> list[str]:
    """The page's sections as Markdown, a section for each study."""
    return [line for name in published() for line in _section(name)]


def _section(name: str) -> Iterator[str]:
    results = Results.load(name)
    plan = Plan.parse(results.plan)
    yield from (f"(study-{name})=", f"## {plan.title}", "")
    yield from (*markdown(["study", f"`{name}`"], _facts(results).items()), "")
    if plan.changes:
        yield from ("The plan was changed after it had been written down:", "")
        yield from (f"- {change.date}: {change.reason}" for change in plan.changes)
        yield ""
    tables = plan.settings.tables(results.values)
    compared = tables.get("comparisons")
    if compared is not None and len(compared) > MOST_ROWS:
        tables["comparisons"] = compared[compared.index.isin(MEASURES, level="measure")]
    first = next(iter(tables))
    shown = [
        title for title in tables if title == "comparisons" or (title == first and len(tables[title]) <= MOST_ROWS)
    ]
    for title in shown:
        yield from _shown(title, tables[title])
    if others := [f"*{title}* ({len(table)} rows)" for title, table in tables.items() if title not in shown]:
        yield from (f"In the package: {', '.join(others)}.", "")


def _facts(results: Results) -> dict[str, str]:
    made = results.provenance
    told = {"seeds": len(results.plan["settings"].get("seeds", ())), "runs": made.runs}
    told |= {key: value for key, value in results.values.items() if type(value) is int}
    facts = {"n": ", ".join(f"{value:,} {key.replace('_', ' ')}" for key, value in told.items() if value)}
    facts |= {"made by": f"`uv run {made.command}`", "last run": made.date[:10], "device": made.device}
    training = results.plan["settings"].get("training")
    if isinstance(training, dict) and "precision" in training:
        facts["precision"] = {"bf16": "bf16, losses in float32", "fp32": "float32"}[training["precision"]]
    if made.seconds:
        facts["time of all runs"] = f"{made.seconds / 60:,.0f} minutes"
    facts["versions"] = f"facelab {made.facelab}, torch {made.torch}"
    return facts | ({"note": made.note} if made.note else {})


def _shown(title: str, table: pd.DataFrame) -> Iterator[str]:
    """A table with the first of its columns: those with an interval, or those of a comparison, if there are any."""
    with_interval = [column for column in table if table[column].astype(str).str.contains(r"\[").any()]
    compared = [column for column in ("value", "low", "high", "p_holm") if column in table]
    main = list(MAIN) if set(MAIN) <= set(table) else []
    columns = (main or with_interval or compared or list(table))[:MOST_COLUMNS]
    columns += [column for column in ("p (Holm)", "p_holm") if column in table and column not in columns]
    more = table.shape[1] - len(columns)
    yield from (
        f"*{title}*"
        + (f" ({more} more columns in the package)" if more > 1 else " (one more column in the package)" * more),
        "",
    )
    head = [str(name or "") for name in table.index.names]
    head += [" ".join(map(str, column)) if isinstance(column, tuple) else _named(column) for column in columns]
    rows = [
        [*map(_named, label if isinstance(label, tuple) else (label,)), *map(_said, row)]
        for label, row in zip(table.index, table[columns].to_numpy(), strict=True)
    ]
    yield from (*markdown(head, rows), "")


def _named(key: Any) -> str:
    """Of a measure, a loss, or two that are compared."""
    if key in NAMES:
        return NAMES[key]
    names = str(key).split(" - ")
    rate = re.fullmatch(r"tar_at_far_([\d.]+)", names[0])
    return f"TAR at FAR {100 * float(rate[1]):g} %" if rate else " − ".join(map(display_name, names))


def _said(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:z.3f}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)
