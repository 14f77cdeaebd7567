"""The methods of a run and what to cite for them."""

from collections.abc import Iterable, Mapping

METHODS: Mapping[str, tuple[str, str]] = {
    "self_instruct": ("Self-Instruct (Wang et al., 2022)", "2212.10560"),
    "one_call": ("Self-Instruct in one call, as Stanford Alpaca (Taori et al., 2023)", "2212.10560"),
    "evol_instruct": ("WizardLM's Evol-Instruct (Xu et al., 2023)", "2304.12244"),
    "best_of_n": ("Llama 2, rejection sampling (Touvron et al., 2023)", "2307.09288"),
    "constitutional": ("Constitutional AI (Bai et al., 2022)", "2212.08073"),
    "rlaif": ("RLAIF (Lee et al., 2023)", "2309.00267"),
    "back_translation": ("Instruction back-translation (Li et al., 2023)", "2308.06259"),
    "formats": ("The Flan Collection (Longpre et al., 2023)", "2301.13688"),
    "perplexity": ("From quantity to quality: IFD (Li et al., 2023)", "2308.12032"),
    "diversity": ("DEITA (Liu et al., 2023)", "2312.15685"),
    "quality": ("SteerLM (Dong et al., 2023), for the quality prompts", "2310.05344"),
}
"""By kind of stage, and of configuration."""


def cited(kinds: Iterable[str]) -> list[str]:
    return [f"- {METHODS[kind][0]}: [{METHODS[kind][1]}](https://arxiv.org/abs/{METHODS[kind][1]})" for kind in kinds]
