"""Every error Tuneworks raises on purpose.

    TuneworksError            the user can act on it; printed as its one sentence, never as a traceback
    |- RecipeError            what you wrote is wrong: where, and what to write instead
    |- InputError             a file, folder or run is not what it should be: which, and what to do
    |- MissingExtra           an optional package is not installed: the pip command that installs it
    |- EngineError            a model could not answer; the record is set aside and the run goes on
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


class EngineUnavailable(EngineError):
    """No request to this engine can succeed until something outside is put right."""


class BudgetReached(TuneworksError):
    """A limit on calls, tokens, money or time was reached."""
