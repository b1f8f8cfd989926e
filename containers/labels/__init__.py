"""Labels by hand: what is shown, the ledger of what was said of it, a page with keys, and files for training."""
