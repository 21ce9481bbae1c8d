import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.aws.runtime.event import MalformedEventError, parse_event, request_body, to_scope
from losi.aws.runtime.runtime_api import LambdaContext
from losi.config import Config
from losi.errors import InvalidRequestError


def a_context() -> LambdaContext:
    headers = {"lambda-runtime-aws-request-id": "request-1", "lambda-runtime-deadline-ms": "0"}
    return LambdaContext(headers, Config())


def an_event(**changes: Any) -> dict[str, Any]:
    return {"httpMethod": "GET", "path": "/", **changes}


class TestParseEvent:
    @pytest.mark.parametrize(
        ("payload", "complaint"),
        [
            (b"", "not JSON"),
            (b"\xff", "not JSON"),
            (b"[1]", "not a JSON object"),
            (b'{"path": "/"}', "no httpMethod"),
            (b'{"httpMethod": "GET", "path": null}', "no path"),
        ],
    )
    def test_refuses_what_api_gateway_does_not_send(self, payload: bytes, complaint: str) -> None:
        with pytest.raises(MalformedEventError, match=complaint):
            parse_event(payload)


class TestScope:
    def test_path_is_decoded_and_kept_raw(self) -> None:
        scope = to_scope(an_event(path="/v1/models/a%2Fb%20c"), a_context())

        assert scope["path"] == "/v1/models/a/b c"
        assert scope["raw_path"] == b"/v1/models/a%2Fb%20c"

    def test_a_path_decoded_by_sam_local_is_encoded_in_raw(self) -> None:
        assert to_scope(an_event(path="/ä b"), a_context())["raw_path"] == b"/%C3%A4%20b"

    def test_has_everything_that_asgi_asks_for(self) -> None:
        event = an_event(
            httpMethod="post",
            path="/v1/a",
            headers={"X-Forwarded-Proto": "http"},
            queryStringParameters={"a": "1"},
            requestContext={"identity": {"sourceIp": "192.0.2.1"}},
        )
        context = a_context()

        assert to_scope(event, context) == {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/v1/a",
            "raw_path": b"/v1/a",
            "root_path": "",
            "query_string": b"a=1",
            "headers": [(b"x-forwarded-proto", b"http")],
            "client": ("192.0.2.1", 0),
            "server": None,
            "aws.event": event,
            "aws.context": context,
        }

    def test_of_an_event_that_says_little(self) -> None:
        scope = to_scope(an_event(), a_context())

        assert (scope["scheme"], scope["client"], scope["headers"]) == ("https", ("", 0), [])

    def test_repeated_headers_stay_apart(self) -> None:
        event = an_event(
            headers={"Accept": "b", "X-Only-Here": "c"}, multiValueHeaders={"accept": ["a", "b"]}
        )

        headers = to_scope(event, a_context())["headers"]

        assert headers == [(b"accept", b"a"), (b"accept", b"b"), (b"x-only-here", b"c")]

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({}, b""),
            ({"queryStringParameters": None}, b""),
            ({"queryStringParameters": {"a": "1 2"}}, b"a=1+2"),
            ({"multiValueQueryStringParameters": {"a": ["1", "&"]}}, b"a=1&a=%26"),
        ],
    )
    def test_query_is_encoded_again(self, query: dict[str, Any], expected: bytes) -> None:
        assert to_scope(an_event(**query), a_context())["query_string"] == expected

    def test_client_is_the_source_address(self) -> None:
        event = an_event(requestContext={"identity": {"sourceIp": "192.0.2.1"}})

        assert to_scope(event, a_context())["client"] == ("192.0.2.1", 0)

    @pytest.mark.parametrize(
        "broken",
        [
            {"headers": "x"},
            {"multiValueHeaders": [1]},
            {"requestContext": {"identity": "me"}},
            {"queryStringParameters": "a=1"},
        ],
    )
    def test_wrong_types_are_a_malformed_event(self, broken: dict[str, Any]) -> None:
        with pytest.raises(MalformedEventError, match="is not an object"):
            to_scope(an_event(**broken), a_context())

    @given(
        st.dictionaries(
            st.sampled_from(
                ["headers", "multiValueHeaders", "queryStringParameters", "requestContext", "body"]
            ),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.text(),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
                max_leaves=8,
            ),
        ),
        st.text(),
    )
    def test_no_event_crashes_the_process(self, changes: dict[str, Any], path: str) -> None:
        event = parse_event(json.dumps(an_event(path=path, **changes)).encode())
        try:
            to_scope(event, a_context())
            request_body(event)
        except MalformedEventError:
            pass


class TestBody:
    def test_is_text(self) -> None:
        assert request_body(an_event(body="ä")) == "ä".encode()

    def test_may_be_missing(self) -> None:
        assert request_body(an_event(body=None)) == b""

    def test_may_be_base64(self) -> None:
        encoded = base64.b64encode(b"\xff\x00").decode()

        assert request_body(an_event(body=encoded, isBase64Encoded=True)) == b"\xff\x00"

    @pytest.mark.parametrize("body", ["%", "YQ", "ä", "Y Q=="])
    def test_that_is_not_the_base64_it_claims_is_the_callers_mistake(self, body: str) -> None:
        with pytest.raises(InvalidRequestError, match="base64") as refused:
            request_body(an_event(body=body, isBase64Encoded=True))

        assert refused.value.code == "invalid_json"

    def test_with_a_lone_surrogate_is_left_to_the_app(self) -> None:
        assert request_body(an_event(body="\ud800")) == b"\xed\xa0\x80"
