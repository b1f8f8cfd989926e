"""`python -m algoport.containers.cli`."""

import sys

from algoport.containers.cli import main

sys.exit(main())
