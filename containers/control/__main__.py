"""`python -m algoport.containers.control`: the control process."""

import sys

from algoport.containers.control.process import main

sys.exit(main())
