"""`python -m martello`: the command line."""

from martello.cli.main import main

main()
