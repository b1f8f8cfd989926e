"""`algoport`, the user's command."""

from algoport.containers.cli.app import main

__all__ = ["main"]
