"""`python -m losi.catalogue`: the check of `sam build`; needs pydantic and nothing else of ours."""

import sys

from losi.catalogue.loader import CatalogueError, load

if __name__ == "__main__":
    try:
        load()
    except CatalogueError as error:
        sys.exit(str(error))
