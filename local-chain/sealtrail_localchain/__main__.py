"""``python -m sealtrail_localchain``."""

import os
import sys

# eth-hash would pick pycryptodome, four times slower, even where pysha3 is installed; it reads this at
# its first use, so before anything of py-evm is imported.
os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")

from sealtrail_localchain.cli import main

if __name__ == "__main__":
    sys.exit(main())
