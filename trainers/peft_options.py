"""Options of PEFT's that would train, save or merge something else than they say, refused with the reason.

PEFT and TRL take all of them, and most then go wrong without a word. Nothing here loads torch.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tuneworks.factory.errors import RecipeError

CHOSEN: Mapping[str, str] = {
    "task_type": "the kind of training says what it is",
    "inference_mode": "it would freeze what is to be learned",
    "base_model_name_or_path": "it is the model",
}
"""Options that the training sets, and why."""

PREPARED = ("eva", "corda", "loftq", "lora_ga")
"""Ways to begin a LoRA that look at data or gradients first; left out, PEFT begins an ordinary one or stops."""

PLAIN = (True, False, "gaussian", "orthogonal")
"""Ways to begin a LoRA that leave the weights of its model as they are."""

HEAD = "lm_head"


def refuse_options(peft: Mapping[str, Any], reference: bool, place: str) -> None:
    """Raise a RecipeError, beginning with `place`, for the first such option. `reference` says that the model with its
    adapter switched off is what the training compares with."""
    for name, why in CHOSEN.items():
        if name in peft:
            raise RecipeError(f"{place}: peft: {name} cannot be chosen ({why}); leave it out")
    _refuse_beginning(peft.get("init_lora_weights", True), place)
    if HEAD in _named(peft.get("target_modules")):
        raise RecipeError(
            f"{place}: peft: target_modules cannot hold {HEAD}: TRL reads the head's own weights, so that an adapter "
            f"on it would not be trained; write modules_to_save: [{HEAD}]"
        )
    if peft.get("alora_invocation_tokens") is not None:
        raise RecipeError(
            f"{place}: peft: alora_invocation_tokens switches the adapter on behind tokens that these rows do not "
            "have; leave it out"
        )
    if peft.get("bias", "none") != "none" and reference:
        raise RecipeError(
            f"{place}: peft: bias: {peft['bias']} trains the model's own biases, and the reference, which is the model "
            "without its adapter, would move with them; leave bias out"
        )
    if isinstance(tokens := peft.get("num_virtual_tokens", 1), int) and tokens < 1:
        raise RecipeError(f"{place}: peft: num_virtual_tokens is {tokens}, so that nothing would be learned; write 20")


def _refuse_beginning(written: Any, place: str) -> None:
    if written in PREPARED:
        raise RecipeError(
            f"{place}: peft: init_lora_weights: {written} begins from what PEFT measures on the data beforehand, which "
            "is not done here; leave it out, or write gaussian or orthogonal"
        )
    if written not in PLAIN:
        raise RecipeError(
            f"{place}: peft: init_lora_weights: {written} changes the model's own weights, which are not saved, so "
            "that the adapter on the model as it was would answer differently; leave it out, or write gaussian or "
            "orthogonal"
        )


def _named(modules: Any) -> Iterable[str]:
    """The last names of the modules that are listed."""
    listed = [modules] if isinstance(modules, str) else modules or ()
    return [str(name).rpartition(".")[2] for name in listed]
