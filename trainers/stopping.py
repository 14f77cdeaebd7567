"""A training that is asked to stop ends its step and writes a checkpoint; without who started it, it ends at once."""

import os
import signal
import threading
from types import FrameType

ORPHANED = 1
"""Exit code of a worker whose starter is gone."""


class Stopping:
    """`asked` is set while `training`; before and after, where there is nothing to keep, to be asked is to end."""

    def __init__(self) -> None:
        self.asked = False
        self.training = False

    def ask(self) -> None:
        self.asked = True
        if not self.training:
            raise KeyboardInterrupt

    def listen(self) -> None:
        """Ask on SIGTERM. Ctrl-C reaches every process of a terminal: who started the worker answers it."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            self.ask()

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, on_signal)


def end_when_orphaned() -> None:
    """End this process when the other end of its standard input closes, as it does when who started it is killed.

    Else two workers would write into one folder as soon as the training is started again. What is written there asks to
    stop: of several processes, who reads it first hears it, as if by SIGTERM.
    """

    def wait() -> None:
        while os.read(0, 4096):
            os.kill(os.getpid(), signal.SIGTERM)
        os._exit(ORPHANED)

    threading.Thread(target=wait, daemon=True).start()
