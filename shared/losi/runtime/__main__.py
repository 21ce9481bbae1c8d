"""`python -m losi.runtime`, which is what exec-wrapper starts."""

from losi.runtime.loop import main

if __name__ == "__main__":
    main()
