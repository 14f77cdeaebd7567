"""Every error Tuneworks raises on purpose.

    TuneworksError            the user can act on it; printed as its one sentence, never as a traceback
    |- RecipeError            what you wrote is wrong: where, and what to write instead
    |- InputError             a file, folder or run is not what it should be: which, and what to do
    |- MissingExtra           an optional package is not installed: the pip command that installs it
    |- EngineError            a model could not answer; the record is set aside and the run goes on
    |  |- MayPass             an attempt failed for a reason that may pass; whoever keeps the pace makes it again
    |  `- EngineUnavailable   no request can succeed (wrong key, no server, no such model): the run stops
    `- BudgetReached          a limit the user set; the run stops cleanly and can go on later

A message is one sentence that names the place and ends in what to do next.
"""


class TuneworksError(Exception):
    """Something the user can act on."""


class RecipeError(TuneworksError):
    """A recipe, or an option in it, cannot be used as written."""


class InputError(TuneworksError):
    """A file, a folder or a run is missing, broken or not what the command needs."""


class MissingExtra(TuneworksError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f'{purpose} needs the package {package}; install it with: pip install "tuneworks[{extra}]"')


class EngineError(TuneworksError):
    """A model could not answer this one request."""


class MayPass(EngineError):
    """An attempt failed for a reason that may pass: a busy server, a broken connection, no answer in time."""

    def __init__(self, sentence: str, wait: float | None = None, busy: bool = False, down: bool = False) -> None:
        super().__init__(sentence)
        self.wait = wait
        """Seconds that the server asks for before the next attempt, where it says."""
        self.busy = busy
        """The server has too much to do, or the caller asked too much (429, 503): fewer requests help."""
        self.down = down
        """Nothing answered at all (no connection, no reply in time): it says nothing against the request."""


class EngineUnavailable(EngineError):
    """No request to this engine can succeed until something outside is put right."""


class BudgetReached(TuneworksError):
    """A limit on tokens, money or time was reached: no new call is made, and all answers so far are kept."""

    def __init__(self, sentence: str, unit: str) -> None:
        super().__init__(sentence)
        self.unit = unit
        """What ran out: tokens, usd or hours."""
