"""The fused head and the plain logits say the same."""

from pathlib import Path

import pytest
from tiny_model import build_tiny_model

pytestmark = pytest.mark.real


def test_with_and_without_the_fused_head(tmp_path: Path) -> None:
    import torch
    from trl.trainer.utils import add_fused_lm_head

    from tuneworks.trainers.loading import load_model
    from tuneworks.trainers.log_probabilities import label_log_probs

    model = load_model(build_tiny_model(tmp_path), {})
    ids = torch.arange(3, 43).reshape(2, 20)
    labels = ids.clone()
    labels[0, :12] = -100
    labels[1, :4] = -100
    with torch.no_grad():
        plain = label_log_probs(model, ids, torch.ones_like(ids), labels)
        add_fused_lm_head(model)
        fused = label_log_probs(model, ids, torch.ones_like(ids), labels)
        loss = model(input_ids=ids, labels=labels).loss
    assert plain.shape == (2, 19)
    assert int((plain != 0).sum()) == 8 + 16
    assert torch.allclose(plain, fused, atol=1e-5)
    assert float(-plain.sum() / 24) == pytest.approx(float(loss), rel=1e-5)
