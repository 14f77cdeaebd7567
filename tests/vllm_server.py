"""A real OpenAI-compatible server: vLLM on this processor, with the embedded model."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuneworks.factory.engines.decoding import device_and_dtype
from tuneworks.factory.weights import prepare

START_SECONDS, END_SECONDS = 300, 60


@contextmanager
def vllm_server(log: Path) -> Iterator[str]:
    """Yields its base URL; the model is called smollm2."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", prepare("smollm2")),
        *("--served-model-name", "smollm2", "--dtype", str(device_and_dtype()[1]).removeprefix("torch.")),
        *("--max-model-len", "2048", "--enforce-eager"),
        # The build for processors ends at a seeded request whose prompt it reads in chunks.
        *("--no-enable-chunked-prefill", "--host", "127.0.0.1", "--port", str(port)),
    ]
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "2", "OMP_NUM_THREADS": str(os.cpu_count())}
    with log.open("w") as into, subprocess.Popen(command, stdout=into, stderr=into, env=environment) as process:
        try:
            began = time.monotonic()
            while not _well(f"http://127.0.0.1:{port}/health"):
                late = time.monotonic() - began > START_SECONDS
                assert process.poll() is None and not late, f"vLLM did not start:\n{log.read_text()[-3000:]}"
                time.sleep(1)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(END_SECONDS)


def _well(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False
