"""Real server processes on DynamoDB Local, with a proxy between them that fails as a network does.

`make faults` prints how many answers were billed after each kind of failure (docs/ledger.md);
tests/e2e/test_faults.py runs a short form of it.
"""
