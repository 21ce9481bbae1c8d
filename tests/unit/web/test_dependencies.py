"""What an app makes for its endpoints, from its configuration, and what it counts of callers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from losi.config import Config, Retention
from losi.errors import (
    AuthenticationError,
    InvalidRequestError,
    LosiError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTooLargeError,
    ServerError,
    UnsupportedMediaError,
)
from losi.observe.routes import FromCloudWatch, FromLog
from losi.web import dependencies
from losi.web.dependencies import Services, counted_refusals, parsing_for, seconds_left
from losi.web.openid_connect import Client

CALLER: Any = SimpleNamespace(account_id="Account001", key_id="Key00001")
OTHER: Any = SimpleNamespace(account_id="Account001", key_id="Key00002")


def test_admissions_and_settlements_have_a_client_each(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Any, ...]] = []

    def client(*given: Any) -> object:
        made.append(given)
        return object()

    monkeypatch.setattr(dependencies, "DynamoDB", client)
    config = Config(region="eu-west-1", dynamodb_endpoint="http://x", store_seconds=3.0)
    services = Services(config)

    assert services.dynamodb is not services.settling_dynamodb
    assert made == 2 * [("eu-west-1", "http://x", 1.5)]  # two tries in the time that there is


def test_management_speaks_to_dynamodb_by_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    client = Services(Config()).client

    assert client.meta.service_model.service_name == "dynamodb"


def test_the_ledger_knows_plans_patience_and_retention(monkeypatch: pytest.MonkeyPatch) -> None:
    made = SimpleNamespace()
    monkeypatch.setattr(dependencies, "Ledger", lambda _, **given: made.__dict__.update(given))
    services = Services(Config(store_seconds=3.0, retention=Retention(usage_days=7)))
    _ = services.ledger

    assert list(made.plans) == list(services.catalogue.plans.values())
    assert (made.patience, made.kept_days) == (3.0, 7)


class TestOpenIdConnect:
    WRITTEN = '{"issuer": "https://i.test", "client_id": "losi", "client_secret": "hush"}'

    def test_is_the_client_that_the_environment_says(self) -> None:
        made = Services(Config(sign_in=self.WRITTEN)).openid_connect
        public = Services(Config(sign_in=self.WRITTEN.replace("_secret", "_"))).openid_connect

        assert made._client == Client("https://i.test", "losi", "hush")
        assert public._client.client_secret == ""

    def test_where_neither_is_set_there_is_none(self) -> None:
        with pytest.raises(NotFoundError) as refused:
            _ = Services(Config()).openid_connect
        assert refused.value.code == "unknown_url"


@pytest.mark.parametrize(
    ("config", "source"),
    [
        (Config(), None),
        (Config(metrics_namespace="Losi"), None),
        (Config(metrics_details=True), None),
        (Config(metrics_namespace="Losi", metrics_details=True), "cloudwatch"),
        (Config(local_data="/data"), "log"),
        (Config(local_data="/d", metrics_namespace="Losi", metrics_details=True), "log"),
    ],
)
def test_how_routes_do_is_read_where_it_is_written(
    config: Config, source: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("losi.observe.routes.cloudwatch", lambda: "a client")
    found = Services(config).route_figures

    assert (found.source if found else None) == source
    if isinstance(found, FromCloudWatch):
        assert (found.client, found.namespace) == ("a client", "Losi")
    if isinstance(found, FromLog):
        assert found.folder == Path(config.local_data)


@pytest.mark.parametrize(
    ("plan", "most", "allowed"), [("free", 2, True), ("free", 0, False), ("", 2, False)]
)
def test_people_make_accounts_where_plan_and_number_say_so(
    plan: str, most: int, allowed: bool
) -> None:
    services = Services(Config(self_sign_up_plan=plan, self_sign_ups_a_day=most))
    services.client = services.accounts = None  # type: ignore[assignment]

    assert (services.logins._sign_up is not None) == allowed


def test_a_request_may_last_until_its_invocation_must_be_settled() -> None:
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_500)

    assert seconds_left(Request({"type": "http"})) == 894.0
    assert seconds_left(Request({"type": "http", "aws.context": context})) == 24.5


@pytest.mark.parametrize(
    ("error", "is_counted"),
    [
        (InvalidRequestError("?"), True),
        (PermissionDeniedError("?"), True),
        (NotFoundError("?"), True),
        (RequestTooLargeError("?"), True),
        (UnsupportedMediaError("?"), False),
        (AuthenticationError("?"), False),
        (ServerError("?"), False),
        (None, False),
    ],
    ids=repr,
)
def test_bodies_that_are_refused_are_counted_to_their_key(
    error: LosiError | None, is_counted: bool
) -> None:
    services = Services(Config())
    for _ in range(60):
        try:
            with counted_refusals(services, CALLER):
                if error is not None:
                    raise error
        except LosiError as raised:
            assert raised is error

    if is_counted:
        with (
            pytest.raises(RateLimitError, match="refused lately"),
            counted_refusals(services, CALLER),
        ):
            raise AssertionError("nothing is read for them any more")
    with counted_refusals(services, OTHER):
        pass


async def test_what_is_wrong_with_a_body_is_said_to_a_key_that_is_good_now() -> None:
    services = Services(Config())
    asked = 0

    async def again() -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise AuthenticationError("It was disabled.")

    with pytest.raises(InvalidRequestError):
        async with parsing_for(services, CALLER, again):
            raise InvalidRequestError("?")
    with pytest.raises(AuthenticationError):
        async with parsing_for(services, CALLER, again):
            raise InvalidRequestError("?")
    async with parsing_for(services, CALLER, again):
        pass
    assert asked == 2, "a good body costs no second look"


def test_reads_of_management_are_five_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("losi.identity.throttle.time.monotonic", lambda: now[0])
    throttle = Services(Config()).management_throttle
    throttle._clock = lambda: now[0]
    taken = 0
    for second in (0.0, 1.0, 2.0):
        now[0] = second
        for _ in range(100):
            try:
                throttle.take("a")
                taken += 1
            except RateLimitError as error:
                assert "a second" in error.message
    assert taken == 60 + 5 + 5
