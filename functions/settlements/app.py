"""Settles what the store did not take while its request ran. Called by schedule."""

from losi.aws.settlements import handler

__all__ = ["handler"]
