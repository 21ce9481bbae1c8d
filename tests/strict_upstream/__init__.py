"""A vendor that refuses what real vendors refuse, with their statuses, bodies and words.

    async with StrictUpstream() as upstream:
        ...  # call upstream.url + "/v1" as OpenAI, upstream.url as Anthropic or Bedrock
        assert not upstream.refused

No live vendor can be called from the tests, so what vendors have published stands in for them:
rules.toml holds one entry a rule with its sources, models.toml what each model takes, and the
module of each wire format the predicates. What is not refused gets a small answer, plain or as a
stream, in the vendor's own form.
"""

from tests.strict_upstream.rules import RULES, Account, Request
from tests.strict_upstream.server import Refused, StrictUpstream

__all__ = ["RULES", "Account", "Refused", "Request", "StrictUpstream"]
