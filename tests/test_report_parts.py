"""Parts of the report that read a run: what is counted, who stands beside whom, where dots are."""

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from test_report import evolved, task, whole_run

from tuneworks.factory.record import PAIR, REWARD, Answer, to_table
from tuneworks.pipelines.report.contents import Contents, gone, read_contents
from tuneworks.pipelines.report.costs import span
from tuneworks.pipelines.report.embedded import laid_out, placed
from tuneworks.pipelines.report.features import counted, features
from tuneworks.pipelines.report.funnel import flows, funnel
from tuneworks.pipelines.report.map import in_script
from tuneworks.pipelines.report.samples import beside, drawn
from tuneworks.pipelines.report.sources import COLOURS, colours, sources
from tuneworks.pipelines.report.trees import evolved as evolutions
from tuneworks.pipelines.report.trees import rooted, trees


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    return read_contents(whole_run(tmp_path_factory.mktemp("runs") / "reported"))


def test_records_of_every_step_add_up(held: Contents) -> None:
    through = {flow.step.title: flow for flow in flows(held)}
    for flow in through.values():
        if flow.step.takes:
            went = flow.step.counts.rejected - flow.new_rejected
            assert flow.step.counts.taken == flow.passed + went + flow.used, flow.step.title
    assert (through["harder.evol_instruct"].new, through["harder.evol_instruct"].passed) == (8, 6)
    assert "The sources gave 46 records, steps made 8 more, and filters and checks rejected 12. " in funnel(
        held, gone(held)
    )


def test_reasons_stand_under_their_step_with_what_went(held: Contents) -> None:
    shown = funnel(held, gone(held))
    assert "<b>5</b> the word count of the prompt is 1–5, under 6" in shown
    assert "<b>3 replies</b> the same words as before" in shown
    assert "<b>1 answer</b> cut off after 9 tokens" in shown


def test_what_is_counted_of_records(held: Contents) -> None:
    seen = features(held)
    assert (seen.kept.height, seen.gone.height) == (42, 12)
    assert set(seen.kept["turns"]) == {1}
    assert (seen.kept["chosen"] - seen.kept["rejected"]).unique().to_list() == [1.0]


def test_a_pair_picked_by_hand_wins_over_rewards() -> None:
    marked = [
        Answer("a", scores={REWARD: 1.0, PAIR: 1.0}),
        Answer("b", scores={REWARD: 2.0, PAIR: 0.0}),
        Answer("c", scores={REWARD: 9.0}),
    ]
    records = [
        task(1, "s").with_answers(marked),
        task(2, "s").with_answers([Answer("x", scores={REWARD: 1.0}), Answer("y", scores={REWARD: 1.0})]),
        task(3, "s").with_answers([]),
        task(4, "s").with_answers([Answer("z", scores={REWARD: float("nan")})]),
    ]
    rows = counted(to_table(records)).select("best", "chosen", "rejected").rows()
    assert rows == [(9.0, 1.0, 2.0), (1.0, None, None), (None, None, None), (None, None, None)]


def test_what_a_rejected_one_stands_beside(held: Contents) -> None:
    items = drawn(held)
    assert len(items) == 17 and {item.part for item in items} == {"record", "answer", "reply"}
    named = {record.id for record in beside(held, items)}
    (alike,) = [item for item in items if item.nearest and item.stage == "semantic_duplicates"]
    (answer,) = [item for item in items if item.part == "answer"]
    assert alike.nearest in named and answer.record.id in named
    first = [item.stage for item in items[:4]]
    assert len(set(first)) == 4, "steps come by turns"


def test_trees_grow_from_what_was_evolved(held: Contents) -> None:
    nodes = evolutions(held)
    assert nodes.filter(pl.col("part") == "reply").height == 4
    placed_ = rooted(nodes)
    assert placed_["root"].n_unique() == 6 and placed_["level"].max() == 3
    assert set(placed_["root"]) & set(nodes["id"]) == set()


def test_a_reply_that_could_not_be_read_is_shown_itself(held: Contents) -> None:
    shown = trees(held)
    assert "Rewrite this." not in shown and "Sorry, I cannot." in shown
    assert "failed at harder.evol_instruct: </b>the reply holds no request" in shown


def test_a_tree_of_many_generations_has_one_root() -> None:
    line = [task(1, "s")]
    for round_ in range(1, 6):
        line.append(evolved(line[-1], round_, "More."))
    nodes = pl.DataFrame(
        [(r.id, r.parents[0], n) for n, r in enumerate(line[1:], 1)], schema=["id", "parent", "round"], orient="row"
    )
    assert rooted(nodes).select("root", "level").rows() == [(line[0].id, n) for n in range(1, 6)]


def test_the_map_takes_the_embeddings_of_the_step_that_measured_them(held: Contents) -> None:
    made = placed(held)
    assert not isinstance(made, str)
    assert made.rows.height == made.of == 43 and "embeddings that the step semantic_duplicates measured" in made.how
    assert made.places.min() == 0 and made.places.max() == 1
    again = placed(held)
    assert not isinstance(again, str) and again.rows.equals(made.rows) and np.array_equal(again.places, made.places)


@pytest.mark.parametrize("vectors", [np.ones((6, 3)), np.eye(5), np.arange(4.0).reshape(4, 1)])
def test_few_or_equal_rows_are_laid_out_too(vectors: NDArray[np.float64]) -> None:
    places, how = laid_out(vectors, 0)
    assert places.shape == (len(vectors), 2) and np.isfinite(places).all() and how == "principal components"


def test_alike_lies_near() -> None:
    rng = np.random.default_rng(0)
    vectors = np.repeat(np.eye(3), 20, axis=0) + 0.05 * rng.normal(size=(60, 3))
    places, how = laid_out(vectors, 0)
    centres = [places[at : at + 20].mean(axis=0) for at in (0, 20, 40)]
    within = max(
        np.linalg.norm(places[at : at + 20] - c, axis=1).max() for at, c in zip((0, 20, 40), centres, strict=True)
    )
    assert how == "t-SNE" and within < min(np.linalg.norm(centres[a] - centres[b]) for a, b in ((0, 1), (0, 2), (1, 2)))


def test_sources_have_colours_and_their_share(held: Contents) -> None:
    shown = sources(held, features(held))
    assert '<th scope="row">plain</th><td class="number">35</td><td class="number">35 (100%)</td>' in shown
    many = colours([f"s{n}" for n in range(12)], {"other": 1})
    assert many["s0"] == 0 and many["s11"] == many["other"] == COLOURS - 1


def test_data_in_a_script_cannot_end_it() -> None:
    assert "<" not in in_script({"texts": ["</script><!--"]})


def test_time_is_said_as_people_do() -> None:
    assert [span(s) for s in (4.46, 59.9, 125, 12_000)] == ["4.5 s", "59.9 s", "2 min 5 s", "3 h 20 min"]
