"""What may stand among the args of vLLM: read from its source, for importing vLLM takes many seconds."""

import ast
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path

CLASSES = ("EngineArgs", "AsyncEngineArgs")


def complaint(args: Mapping[str, object]) -> str:
    """What is wrong with the names in `args`, in one sentence; empty where all is well or nothing can be known."""
    if "model" in args:
        return "write the model of vllm as its option model, not among its args"
    known = names()
    wrong = next((name for name in args if known and name not in known), None)
    if wrong is None:
        return ""
    close = get_close_matches(str(wrong), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "see vLLM's documentation of its engine arguments"
    return f"vLLM has no engine argument {wrong!r}; {hint}"


@cache
def names() -> frozenset[str]:
    """The fields of vLLM's AsyncEngineArgs; empty where its source is not where it is expected."""
    spec = find_spec("vllm")
    source = Path(spec.origin).parent / "engine" / "arg_utils.py" if spec and spec.origin else None
    if source is None or not source.is_file():
        return frozenset()
    classes = [node for node in ast.parse(source.read_text("utf-8")).body if isinstance(node, ast.ClassDef)]
    fields = (field for node in classes if node.name in CLASSES for field in node.body)
    return frozenset(f.target.id for f in fields if isinstance(f, ast.AnnAssign) and isinstance(f.target, ast.Name))
