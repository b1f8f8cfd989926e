"""`python -m algoport.containers.pages [--check]`."""

from __future__ import annotations

import sys

from algoport.containers.pages import ROOT, old_pages


def main() -> int:
    """Renew the pages; with `--check` only name those that are old, and end with 1 where there are some."""
    check = "--check" in sys.argv[1:]
    old = old_pages(write=not check)
    for page in old:
        shown = page.relative_to(ROOT) if page.is_relative_to(ROOT) else page
        print(f"{shown}: {'is not what `make readme` generates' if check else 'renewed'}")
    return int(check and bool(old))


if __name__ == "__main__":
    sys.exit(main())
