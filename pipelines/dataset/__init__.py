"""The dataset of a run: what trainers and the Hub read."""

from tuneworks.pipelines.dataset.card import CARD
from tuneworks.pipelines.dataset.manifest import MANIFEST, read_manifest, sha256
from tuneworks.pipelines.dataset.writing import write_dataset

__all__ = ["CARD", "MANIFEST", "read_manifest", "sha256", "write_dataset"]
