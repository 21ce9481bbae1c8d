"""API Gateway and Lambda on this machine, with real response streaming and real processes.

    with FrontDoor(template_routes(), env=dynamodb_environment(endpoint, table)) as door:
        client = OpenAI(base_url=f"{door.url}/api/v1", api_key=key)
        ...
        door.kill("chat_completions")   # SIGKILL to its processes
        door.wait_idle()                # until no function works any more
        door.invocations("chat_completions")[-1].error_type

`FrontDoor` is a context manager whose event loop lives in a thread, so it serves synchronous and
asynchronous tests alike. Functions are started the way Lambda does: the streaming ones through the
exec wrapper with the stock command behind it, the others with `python -m awslambdaric`, the
function's folder being the current one. Processes start with the first request that needs them.
They may also be containers of Lambda's image: see container.py.

`Upstream` is a server whose every line a test releases by hand: it proves order without clocks.
"""

from tests.front_door.door import FrontDoor
from tests.front_door.lambda_service import Function, MakeFunction
from tests.front_door.sandbox import Invocation
from tests.front_door.template import gateway_responses, template_routes
from tests.front_door.upstream import Upstream

__all__ = [
    "FrontDoor",
    "Function",
    "Invocation",
    "MakeFunction",
    "Upstream",
    "gateway_responses",
    "template_routes",
]
