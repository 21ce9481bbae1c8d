"""The ledger against a reference model: any order of requests, ends, crashes, retries and changes,
by processes whose clocks differ, over midnights. On DynamoDB Local.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from losi.day_item import DayItem, minute_of_day, requests_window, tokens_window, utc_day
from losi.errors import QuotaExceededError, RateLimitError, StaleAuthentication
from losi.ledger import Hold, Ledger
from losi.principal import Principal
from losi.usage import MAX_TOKENS, Usage
from tests.ledger_invariants import check_day_item
from tests.ledger_world import Clock, caller, make_plan

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# small limits and few, round figures: so that each limit is met often, and to the very token
PLAN = make_plan(requests_per_minute=4, tokens_per_minute=2_000, tokens_per_day=4_000, in_flight=3)
