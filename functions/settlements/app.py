"""Settles what the store did not take while its request ran. Called by schedule."""

from losi.aws.settlements import Consumer
from losi.config import read_config

handler = Consumer(read_config())
