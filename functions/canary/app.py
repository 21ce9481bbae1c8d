"""Asks the API as a customer would. Called by schedule, where the operator wants a canary."""

from losi.aws.canary import Canary
from losi.config import read_config

handler = Canary(read_config())
