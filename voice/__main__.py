"""`python -m voice` is `onebreath`."""

from voice.cli import main

main()
