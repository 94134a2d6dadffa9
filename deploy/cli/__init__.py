"""The command `shopmeter`: what a person types, and what the stack's own processes are.

`main` is the entry point. Commands import what they need when they run, so that `shopmeter --help` answers at once.
"""

from deploy.cli.app import main

__all__ = ["main"]
