"""What a light installation may not load: the command line works without torch and its friends."""

import subprocess
import sys

HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "sentence_transformers", "faiss", "vllm")


def test_reading_recipes_and_running_the_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys; from tuneworks.pipelines.cli import app; from tuneworks.pipelines.recipe import load_recipe;"
        "load_recipe('quickstart'); from tuneworks.pipelines.schema import json_schema; json_schema();"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
