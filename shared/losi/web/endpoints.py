"""The one list of endpoints, read by the server, the template's test, docs, permissions and events.

The row `list_models` of the function `models` is answered by `losi.web.models.list_models`, and
deployed as `functions/models/app.py`. A new endpoint takes a row here, that handler, that file, and
its event in template.yaml.
"""

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel
    from starlette.responses import Response

BASE_PATH = "/api/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    #: The handler in `losi/web/<function>.py`, and the `operationId` in openapi.json.
    name: str
    method: str
    #: Relative to BASE_PATH, in API Gateway's syntax: `{id+}` may contain slashes.
    resource: str
    #: The folder in `functions/`.
    function: str
    #: The permission a key needs (losi/identity/principal.py). None: anyone may call it.
    permission: str | None
    summary: str
    #: Whether it streams, through our Lambda runtime; Mangum sends the other answers in one piece.
    streams: bool = False

    @property
    def path(self) -> str:
        return BASE_PATH + self.resource

    @property
    def route(self) -> str:
        """The path in Starlette's syntax."""
        return self.path.replace("+}", ":path}")

    def handler(self) -> "Callable[..., Awaitable[Response]]":
        """The handler, imported on use: a function loads only those of its own endpoints."""
        module = importlib.import_module(f"losi.web.{self.function}")
        found: Callable[..., Awaitable[Response]] = getattr(module, self.name)
        return found


KEYS = "api_keys"
READ_KEYS, WRITE_KEYS = "api_keys.read", "api_keys.write"

ENDPOINTS = (
    Endpoint(
        "create_chat_completion",
        "POST",
        "/chat/completions",
        "chat_completions",
        "chat.completions",
        "Create a chat completion",
        streams=True,
    ),
    Endpoint(
        "create_embeddings",
        "POST",
        "/embeddings",
        "embeddings",
        "embeddings",
        "Create embeddings",
        streams=True,
    ),
    Endpoint("list_models", "GET", "/models", "models", "models.list", "List your plan's models"),
    Endpoint("get_model", "GET", "/models/{id+}", "models", "models.list", "Get a model"),
    Endpoint("list_keys", "GET", "/api-keys", KEYS, READ_KEYS, "List your API keys, or get one"),
    Endpoint("create_key", "POST", "/api-keys", KEYS, WRITE_KEYS, "Create an API key"),
    Endpoint("change_key", "PATCH", "/api-keys", KEYS, WRITE_KEYS, "Change an API key"),
    Endpoint("rotate_key", "POST", "/api-keys/rotate", KEYS, WRITE_KEYS, "Give a key a new secret"),
    Endpoint("delete_key", "DELETE", "/api-keys", KEYS, WRITE_KEYS, "Delete an API key"),
    Endpoint("get_usage", "GET", "/api-usage", "api_usage", "usage.read", "Get your daily usage"),
    Endpoint(
        "get_audit_log", "GET", "/audit-log", "audit_log", "audit.read", "Get who changed what"
    ),
    Endpoint("get_health", "GET", "/health", "health", None, "Ask whether the API works"),
    Endpoint("get_openapi", "GET", "/openapi.json", "openapi", None, "Get this description"),
)
#: Called by the console's pages with a session. Not part of the documented API: they change with
#: the pages.
CONSOLE = (
    Endpoint("sign_in_methods", "GET", "/session/methods", "session", None, "How to sign in"),
    Endpoint("sign_in", "POST", "/session", "session", None, "Sign in with an API key"),
    Endpoint("start_sign_in", "GET", "/session/oidc", "sign_in", None, "Sign in at the issuer"),
    Endpoint("finish_sign_in", "GET", "/session/oidc/callback", "sign_in", None, "Come back"),
    Endpoint("sign_out", "DELETE", "/session", "session", None, "Sign out"),
    Endpoint("list_sessions", "GET", "/sessions", "session", None, "List the account's sessions"),
    Endpoint("end_sessions", "DELETE", "/sessions", "session", None, "End one session, or all"),
    Endpoint("get_profile", "GET", "/profile", "profile", None, "Who is signed in"),
    Endpoint("change_profile", "PATCH", "/profile", "profile", None, "Change name or API access"),
    Endpoint("delete_profile", "DELETE", "/profile", "profile", None, "Delete the account"),
    Endpoint("get_limits", "GET", "/limits", "profile", None, "What is left of today's limits"),
    Endpoint("list_all_accounts", "GET", "/operator/accounts", "operator", None, "List accounts"),
    Endpoint("get_other_account", "GET", "/operator/account", "operator", None, "Get an account"),
    Endpoint("change_other_account", "PATCH", "/operator/account", "operator", None, "Change it"),
    Endpoint("get_other_usage", "GET", "/operator/usage", "operator", None, "Get its usage"),
    Endpoint("list_other_keys", "GET", "/operator/keys", "operator", None, "List its API keys"),
    Endpoint("list_routes", "GET", "/operator/routes", "operator", None, "How routes do"),
    Endpoint("export_profile", "GET", "/profile/export", "profile", None, "Export all data"),
)
#: The console, the docs, and every path that has no endpoint: functions/console.
SITE = ("/", "/{path+}")
METHODS = ("GET", "POST", "PATCH", "DELETE")
#: All functions of the API, in the order of the lists.
FUNCTIONS = tuple(dict.fromkeys(endpoint.function for endpoint in (*ENDPOINTS, *CONSOLE)))


@dataclass(frozen=True, slots=True)
class Takes:
    """In a handler's `Annotated[Request, ...]`: the body, which the handler reads and validates
    itself.
    """

    body: "type[BaseModel]"


@dataclass(frozen=True, slots=True)
class Answers:
    """In a handler's return annotation (a string, so that no cold start loads the models): the JSON
    of a 200, and the other forms of the answer that the caller may ask for.
    """

    json: "type[BaseModel]"
    events: "type[BaseModel] | None" = None
    csv: "type[BaseModel] | None" = None
    #: Whether the answer's headers name the provider and what remains of the account's limits.
    metered: bool = False
    #: Whether it answers 503 without the table, although it needs no key.
    reads_table: bool = False


def endpoint(name: str) -> Endpoint:
    (found,) = (each for each in (*ENDPOINTS, *CONSOLE) if each.name == name)
    return found
