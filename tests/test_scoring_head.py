"""The head in pieces against the cross-entropy of whole logits."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from tuneworks.factory.engines import scoring_head
from tuneworks.factory.engines.scoring_head import surprisals


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("tokens", [1, 3, 10])
def test_pieces_add_up_to_whole_logits(monkeypatch: pytest.MonkeyPatch, tokens: int, bias: bool) -> None:
    monkeypatch.setattr(scoring_head, "PIECE", {"cpu": (3, 7)})
    head = torch.nn.Linear(16, 40, bias=bias)
    hidden, said = 30 * torch.randn(tokens, 16), torch.randint(0, 40, (tokens,))
    with torch.inference_mode():
        made, expected = surprisals(hidden, said, head), cross_entropy(head(hidden), said, reduction="none")
    assert torch.allclose(made, expected, atol=1e-4)
