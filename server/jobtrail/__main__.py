"""`python -m jobtrail`."""

import sys

from jobtrail.cli import main

if __name__ == "__main__":
    sys.exit(main())
