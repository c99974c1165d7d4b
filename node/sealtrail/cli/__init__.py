"""The command line: one module a command, imported only when it is used.

:func:`main` is the outermost place of the program: here, and nowhere else, every exception becomes
an exit code and a message that says what to do next.
"""

from sealtrail.cli.main import main

__all__ = ["main"]
