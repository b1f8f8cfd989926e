"""`algoport`, the user's command."""

from containers.cli.app import main

__all__ = ["main"]
