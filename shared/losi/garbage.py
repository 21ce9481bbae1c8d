"""How often the process looks for objects that only refer to each other."""

import gc

#: Objects made between two looks at the young ones; Python's own figure is 700, a third of what a
#: request makes. A look so often takes a tenth of a request's CPU and finds nothing.
YOUNG = 10_000


def look_less_often() -> None:
    """Call it when everything is loaded: that stays to the end, and need not be looked through."""
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
