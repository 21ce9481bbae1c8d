"""`python -m losi.aws.runtime`, which is what exec-wrapper starts."""

from losi.aws.runtime.loop import main

if __name__ == "__main__":
    main()
