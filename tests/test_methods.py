"""Every method on the embedded model: each leaves records, or says for every one why there is none."""

from pathlib import Path

import method_lines
import pytest


@pytest.mark.real
@pytest.mark.timeout(900)
def test_every_method_works_on_the_embedded_model(tmp_path: Path) -> None:
    made = method_lines.build(tmp_path)
    assert [step.title.rpartition(".")[2] for step in made] == method_lines.METHODS
    for step in made:
        assert step.counts.kept + step.counts.rejected + step.counts.aside > 0, step.title
    assert sum(step.counts.kept > 0 for step in made) >= 7
    assert method_lines.schemas(tmp_path) == 0
