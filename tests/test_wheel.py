"""The package as users get it: a wheel out of the sdist, in an empty environment, beside factory_boy."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def call(*command: str | Path, where: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=where, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_a_wheel_from_the_sdist_runs_beside_factory_boy(tmp_path: Path) -> None:
    call(sys.executable, "-m", "build", "--sdist", "--outdir", tmp_path, ROOT, where=tmp_path)
    (sdist,) = tmp_path.glob("*.tar.gz")
    call("tar", "-xzf", sdist, where=tmp_path)
    source = tmp_path / sdist.name.removesuffix(".tar.gz")
    call(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, source, where=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    call(sys.executable, "-m", "venv", tmp_path / "empty", where=tmp_path)
    python = tmp_path / "empty" / "bin" / "python"
    call(python, "-m", "pip", "install", "--quiet", "factory_boy", wheel, where=tmp_path)
    kinds = call(tmp_path / "empty" / "bin" / "tuneworks", "kinds", where=tmp_path)
    assert "self_instruct" in kinds and "dpo" in kinds
    assert "tuneworks" in call(python, "-m", "tuneworks", "--version", where=tmp_path)
    code = "import factory, tuneworks.factory.record as r; assert factory.Factory; print(r.__file__)"
    assert "site-packages" in call(python, "-c", code, where=tmp_path)
    packaged = (
        "from tuneworks.factory.seeds import read_seeds as r; print(len(r('builtin', '')), len(r('builtin-zh', '')))"
    )
    assert call(python, "-c", packaged, where=tmp_path).split() == ["175", "60"]
    report = call(tmp_path / "empty" / "bin" / "tuneworks", "conformance", where=tmp_path)
    assert "## Constitutional AI" in report
    recipe = call(tmp_path / "empty" / "bin" / "tuneworks", "recipe", "quickstart", where=tmp_path)
    assert "name: quickstart" in recipe
