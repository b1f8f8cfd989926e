"""From rows to centers."""
