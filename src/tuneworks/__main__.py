"""`python -m tuneworks` is the command line."""

from tuneworks.pipelines.cli import main

main()
