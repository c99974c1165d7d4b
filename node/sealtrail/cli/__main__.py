"""``python -m sealtrail.cli``: the same as ``sealtrail``; what process managers are given."""

import sys

from sealtrail.cli.main import main

sys.exit(main())
