"""The published literature as two tidy tables. They ship with the package, so a notebook can read them anywhere."""

from importlib.resources import files

import pandas as pd

from facelab.errors import FacelabError

# where the numbers of each comparison stand
COMPARISONS = {
    "arcface-table-2": "Deng et al. 2021, Table 2: CASIA-WebFace, ResNet-50, accuracy %",
    "facex-zoo-heads": "Wang et al. 2021, FaceX-Zoo's repository: MS-Celeb-1M-v1c, MobileFaceNet, accuracy %",
    "insightface-data": "InsightFace model zoo: IResNet-50; LFW: accuracy %, IJB-C: TAR at FAR 0.01 %",
    "insightface-groups": "InsightFace model zoo: IResNet-50, multi-racial benchmark, TAR at FAR 0.0001 %, in %",
}


def literature() -> pd.DataFrame:
    """One row per method: ``key`` (in the bibliography), ``year``, ``method``, ``family``, ``idea``, ``card`` (where it
    stands in ``book/literature``); and, where one was found and checked, one published result: ``benchmark``,
    ``value``, ``source`` (else missing). In the order of years.
    """
    return _read("literature.csv").sort_values(["year", "method"], ignore_index=True)


def published(comparison: str) -> pd.DataFrame:
    """Return one published comparison as a table: a row per method, a column per benchmark, in the order of the source.

    Raises:
        FacelabError: there is no comparison of this name.
    """
    if comparison not in COMPARISONS:
        raise FacelabError(f"no comparison {comparison!r}; there are: {', '.join(COMPARISONS)}.")
    rows = _read("published.csv").query("comparison == @comparison")
    table = rows.pivot(index="method", columns="benchmark", values="value")
    return table.loc[rows["method"].unique(), rows["benchmark"].unique()].rename_axis(index=None, columns=None)


def _read(name: str) -> pd.DataFrame:
    with (files("facelab.course") / name).open(encoding="utf8") as file:
        return pd.read_csv(file)
