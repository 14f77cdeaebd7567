"""What did a training change? A model against what it began from, on rows that neither saw."""

from tuneworks.pipelines.evaluating.evaluate import EVALUATIONS, Evaluation, Wanted, evaluate

__all__ = ["EVALUATIONS", "Evaluation", "Wanted", "evaluate"]
