"""Where the session cookie counts, and how it is set: as a browser meets it, to the attribute."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from losi.config import Config
from losi.errors import InvalidRequestError, PermissionDeniedError
from losi.identity.session import SECRET_LENGTH, SESSION_LENGTH, SessionToken
from losi.ids import random_id
from losi.web import cookies

TOKEN = SessionToken("Account001", random_id(SESSION_LENGTH), random_id(SECRET_LENGTH))


def request(
    method: str = "GET", url: str = "https://api.test/", stage: str = "", **headers: str
) -> Request:
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0]
    name, _, port = host.rpartition(":") if host[-1:].isdigit() and ":" in host else (host, "", "")
    named = {"host": host, **{key.replace("_", "-"): value for key, value in headers.items()}}
    services = SimpleNamespace(config=Config(stage=stage))
    return Request(
        {
            "type": "http",
            "method": method,
            "scheme": scheme,
            "server": (name, int(port or (443 if scheme == "https" else 80))),
            "path": "/",
            "query_string": b"",
            "headers": [(key.encode(), value.encode()) for key, value in named.items()],
            "app": SimpleNamespace(state=SimpleNamespace(services=services)),
        }
    )


COOKIE = f"__Host-losi={TOKEN.text}"
OWN = {"origin": "https://api.test", "sec_fetch_site": "same-origin"}
WRITE = {**OWN, "x_losi_console": "1"}


@pytest.mark.parametrize(
    ("method", "headers", "counts"),
    [
        ("GET", {}, True),  # typed into the address bar, by an old browser
        ("GET", {"sec_fetch_site": "none"}, True),
        ("GET", OWN, True),
        ("HEAD", {}, True),
        ("OPTIONS", {}, True),
        ("POST", WRITE, True),
        ("GET", {"sec_fetch_site": "same-site"}, False),
        ("GET", {"sec_fetch_site": "cross-site"}, False),
        ("GET", {"origin": "https://evil.test"}, False),
        ("GET", {"origin": "http://api.test"}, False),
        ("GET", {"authorization": "Bearer x"}, False),
        ("POST", {**WRITE, "authorization": "Bearer x"}, False),
    ],
)
def test_the_cookie_counts_where_a_page_of_ours_asks(
    method: str, headers: dict[str, str], counts: bool
) -> None:
    found = cookies.session_token(request(method, cookie=COOKIE, **headers))

    assert (found is not None) == counts
    assert cookies.session_token(request(method, **headers)) is None
    assert cookies.session_token(request("GET", cookie="__Host-losi=junk")) is None


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
@pytest.mark.parametrize(
    "change",
    [
        {"sec_fetch_site": "none"},
        {"x_losi_console": "2"},
        {"x_losi_console": ""},
    ],
)
def test_a_change_needs_what_no_form_can_send(method: str, change: dict[str, str]) -> None:
    with pytest.raises(PermissionDeniedError) as refused:
        cookies.session_token(request(method, cookie=COOKIE, **{**WRITE, **change}))

    assert (refused.value.status, refused.value.code) == (403, "cross_site_request")


@pytest.mark.parametrize("missing", WRITE)
def test_each_header_of_a_change_is_needed(missing: str) -> None:
    cookies.check_write(request("POST", **WRITE))
    headers = {name: value for name, value in WRITE.items() if name != missing}

    with pytest.raises(PermissionDeniedError):
        cookies.check_write(request("POST", **headers))


@pytest.mark.parametrize(
    ("url", "stage", "name", "login"),
    [
        ("https://api.test/", "", "__Host-losi", "__Host-losi-login"),
        ("https://api.test/", "prod", "__Host-losi-prod", "__Host-losi-prod-login"),
        ("http://127.0.0.1:3000/", "prod", "losi-3000", "losi-3000-login"),
        ("http://localhost/", "", "losi-80", "losi-80-login"),
    ],
)
def test_each_stage_and_port_has_a_cookie_of_its_own(
    url: str, stage: str, name: str, login: str
) -> None:
    asked = request(url=url, stage=stage)

    assert cookies.cookie_name(asked) == name
    assert cookies.cookie_name(asked, "login") == login
    assert cookies.login_cookie(request(url=url, stage=stage, cookie=f"{login}=kept")) == "kept"
    assert cookies.login_cookie(asked) == ""


def set_by(act: Any) -> tuple[str, list[str]]:
    """Name and value, and the attributes."""
    response = Response()
    act(response)
    cookie, *attributes = response.headers["set-cookie"].split("; ")
    return cookie, sorted(attributes)


LOCKED = ["HttpOnly", "Path=/", "SameSite=lax"]
CASES = [("https://api.test/", ["Secure"], "__Host-losi"), ("http://localhost:1/", [], "losi-1")]


@pytest.mark.parametrize(("url", "secure", "name"), CASES)
def test_it_is_kept_from_scripts_and_other_hosts(url: str, secure: list[str], name: str) -> None:
    asked = request(url=url)
    session = set_by(lambda response: cookies.set_cookie(asked, response, TOKEN, 7))
    login = set_by(lambda response: cookies.set_login_cookie(asked, response, "kept"))
    cleared, attributes = set_by(lambda response: cookies.clear_cookie(asked, response))

    assert session == (f"{name}={TOKEN.text}", sorted([*LOCKED, *secure, "Max-Age=604800"]))
    assert login == (f"{name}-login=kept", sorted([*LOCKED, *secure, "Max-Age=600"]))
    assert cleared == f'{name}=""'
    kept = [each for each in attributes if not each.startswith("expires=")]
    assert kept == sorted([*LOCKED, *secure, "Max-Age=0"])


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("localhost:3000", True),
        ("127.0.0.1:3000", True),
        ("127.9.9.9", True),
        ("[::1]:3000", True),
        ("losi.test", False),
        ("localhost.evil.test", False),
        ("192.168.0.1", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_over_plain_http_it_stays_on_this_machine(host: str, is_loopback: bool) -> None:
    asked = request(url="http://127.0.0.1:3000/")
    asked.scope["headers"] = [(b"host", host.encode())]
    response = Response()
    if is_loopback:
        cookies.set_cookie(asked, response, TOKEN, 7)
        return

    with pytest.raises(InvalidRequestError) as refused:
        cookies.set_cookie(asked, response, TOKEN, 7)
    assert refused.value.code == "https_required"
    assert "set-cookie" not in response.headers
