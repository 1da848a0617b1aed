"""``python -m replica`` is the command ``replica``."""

from replica.cli import main

main()
