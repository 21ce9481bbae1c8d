"""What clients ask, by kind: each is put to every route, plain and as a stream."""

from tests.contract.conformance.parts import (
    CALL_WEATHER,
    EFFORTS,
    NAMED,
    USER,
    WEATHER,
    assistant,
    called,
    file,
    image,
    json_schema,
    prop,
    result,
    text,
    text_file,
    tools,
    user,
)
from tests.strict_upstream.provocations import CLOSED, OBJECT
from tests.strict_upstream.rules import Json

TOOLS: dict[str, Json] = {
    "tools auto": {"tools": [WEATHER]},
    "tools auto, called": {"messages": [CALL_WEATHER], "tools": [WEATHER]},
    "tools required": {"tools": [WEATHER], "tool_choice": "required"},
    "tools named": {"tools": [WEATHER], "tool_choice": NAMED},
    "tools none": {"messages": [CALL_WEATHER], "tools": [WEATHER], "tool_choice": "none"},
    "tools one at a time": {
        "messages": [CALL_WEATHER],
        "tools": [WEATHER],
        "parallel_tool_calls": False,
    },
    "tools allowed": {
        "tools": [WEATHER],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [NAMED]},
        },
    },
    "functions": {"functions": [WEATHER["function"]], "function_call": "auto"},
    "functions named": {"functions": [WEATHER["function"]], "function_call": {"name": "weather"}},
    "functions none": {"functions": [WEATHER["function"]], "function_call": "none"},
    "functions of before": {
        "messages": [
            USER,
            {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "weather", "arguments": "{}"},
            },
            {"role": "function", "name": "weather", "content": "sunny"},
            USER,
        ],
        "functions": [WEATHER["function"]],
    },
    **{
        f"{count} tools": {
            "tools": [
                {"type": "function", "function": {**WEATHER["function"], "name": f"t{i}"}}
                for i in range(count)
            ]
        }
        for count in (128, 512)
    },
    "tools and schema": {"tools": [WEATHER], **json_schema(CLOSED)},
    "empty tools": {"tools": []},
    "empty tools and companions": {
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    },
    "choice without tools": {"tool_choice": "none"},
    "parallel without tools": {"parallel_tool_calls": False},
    "empty functions": {"functions": []},
    "null companions": {"tools": None, "tool_choice": None, "stop": None, "user": None},
    "tool without parameters": {"tools": [{"type": "function", "function": {"name": "now"}}]},
    "tool with empty description": tools(OBJECT, description=""),
    "strict tool": tools(CLOSED, strict=True),
    "tool with a union at the top": tools({**OBJECT, "anyOf": [{"required": ["city"]}]}),
    "tool with oneOf alone": tools({"oneOf": [OBJECT, CLOSED]}),
    "tool with allOf at the top": tools({**OBJECT, "allOf": [{"required": ["city"]}]}),
    "tool with an odd property": tools({"type": "object", "properties": {"the city": {}}}),
    "tool with a long property": tools({"type": "object", "properties": {"x" * 70: {}}}),
    "tool with odd properties inside": tools(
        {"type": "object", "properties": {"in": prop(type="object", properties={"$eq": {}})}}
    ),
    "tool with null properties": tools({"type": "object", "properties": None}),
    "strict tool with bounds": tools(prop(type="integer", minimum=1, maximum=9), strict=True),
    "strict tool with lengths": tools(prop(type="string", minLength=1, maxLength=9), strict=True),
    "strict tool, open": tools(OBJECT, strict=True),
    "strict tool with a default": tools(prop(type="string", default="Rome"), strict=True),
    "strict tool with oneOf": tools(
        prop(oneOf=[{"type": "string"}, {"type": "null"}]), strict=True
    ),
    "strict tool without parameters": {
        "tools": [{"type": "function", "function": {"name": "now", "strict": True}}]
    },
    "strict tool with a pattern": tools(prop(type="string", pattern="^[a-z]+$"), strict=True),
}

FORMATS_ASKED: dict[str, Json] = {
    "text": {"response_format": {"type": "text"}},
    "json_object": {
        "messages": [{"role": "user", "content": "Answer in JSON."}],
        "response_format": {"type": "json_object"},
    },
    "json_object unspoken": {"response_format": {"type": "json_object"}},
    "json_schema": json_schema(CLOSED),
    "json_schema, integer bounds": json_schema(prop(type="integer", minimum=1, maximum=9)),
    "json_schema, exclusive bounds": json_schema(prop(type="number", exclusiveMinimum=0)),
    "json_schema, items": json_schema(
        prop(type="array", items={"type": "string"}, minItems=2, maxItems=3)
    ),
    "json_schema, strict lengths": json_schema(prop(type="string", minLength=1, maxLength=9)),
    "json_schema, strict lookaround": json_schema(prop(type="string", pattern="^(?!x)t")),
    "json_schema, strict open": json_schema(OBJECT),
    "json_schema, strict optional": json_schema({**CLOSED, "required": []}),
    "json_schema, strict reference": json_schema(
        {
            "$defs": {"city": {"type": "string", "default": "Rome"}},
            **prop(**{"$ref": "#/$defs/city", "description": "Where"}),
        }
    ),
    "json_schema, strict set": json_schema(
        prop(type="array", items={"type": "string"}, uniqueItems=True)
    ),
    "json_schema, strict union": json_schema(
        {"$defs": {"one": CLOSED}, "anyOf": [{"$ref": "#/$defs/one"}, CLOSED]}
    ),
    "json_schema, uri": json_schema(prop(type="string", format="uri"), strict=False),
    "json_schema, lengths": json_schema(
        prop(type="string", minLength=1, maxLength=9), strict=False
    ),
    "json_schema, open": json_schema(OBJECT, strict=False),
    "json_schema, map": json_schema(
        prop(type="object", additionalProperties={"type": "integer"}), strict=False
    ),
    "json_schema, default": json_schema(prop(type="string", default="Rome"), strict=False),
    "json_schema, anything": json_schema(prop(), strict=False),
    "json_schema, oneOf": json_schema(
        prop(oneOf=[{"type": "string"}, {"type": "null"}]), strict=False
    ),
    "json_schema, unknown format": json_schema(prop(type="string", format="binary"), strict=False),
    "json_schema, recursive": json_schema(
        {
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
                    "required": ["next"],
                    "additionalProperties": False,
                }
            },
            **prop(**{"$ref": "#/$defs/node"}),
        }
    ),
    "json_schema, no schema": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer"}}
    },
}

REASONING: dict[str, Json] = {
    **{f"effort {effort}": {"reasoning_effort": effort} for effort in EFFORTS},
    **{
        f"effort {effort} with tools": {"reasoning_effort": effort, "tools": [WEATHER]}
        for effort in EFFORTS
    },
    "effort high, required": {
        "reasoning_effort": "high",
        "tools": [WEATHER],
        "tool_choice": "required",
    },
    "effort high, schema": {"reasoning_effort": "high", **json_schema(CLOSED)},
    "thinking disabled": {"thinking": {"type": "disabled"}},
    "thinking by budget": {"thinking": {"type": "enabled", "budget_tokens": 2000}},
}

PARAMETERS: dict[str, Json] = {
    "plain": {},
    "n": {"n": 2},
    "small max_tokens": {"max_tokens": 50},
    "smallest max_tokens": {"max_tokens": 1},
    "small max_completion_tokens": {"max_completion_tokens": 50},
    "both limits": {"max_tokens": 60, "max_completion_tokens": 50},
    "temperature": {"temperature": 0.2},
    "temperature above 1": {"temperature": 1.8},
    "top_p": {"top_p": 0.5},
    "temperature and top_p": {"temperature": 0.5, "top_p": 0.5},
    "penalties": {"presence_penalty": 0.5, "frequency_penalty": 0.5},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
    "logit_bias": {"logit_bias": {"50256": -100}},
    "seed": {"seed": 7},
    "stop": {"stop": ["END"]},
    "stop as text": {"stop": "END"},
    "blank stop": {"stop": "\n"},
    "blank stops": {"stop": ["\n\n", "END", " "]},
    "user": {"user": "user-1"},
    "user by e-mail": {"user": "ann@example.com"},
    "user by phone": {"user": "+49 30 1234567"},
    "long user": {"user": "u" * 300},
    "safety_identifier by e-mail": {"safety_identifier": "ann@example.com"},
    "long safety_identifier": {"safety_identifier": "s" * 100},
    "prompt_cache_key": {"prompt_cache_key": "agent-1"},
    "long prompt_cache_key": {"prompt_cache_key": "k" * 100},
    "prompt_cache_retention": {"prompt_cache_retention": "24h"},
    "in_memory retention": {"prompt_cache_retention": "in_memory"},
    "metadata": {"metadata": {"trace": "1"}},
    "metadata with an e-mail": {"metadata": {"user_id": "ann@example.com"}},
    "store": {"store": False},
    "service_tier": {"service_tier": "auto"},
    "verbosity": {"verbosity": "low"},
    "top_k": {"top_k": 40},
    "chat_template_kwargs": {"chat_template_kwargs": {"enable_thinking": False}},
}

MESSAGES: dict[str, Json] = {
    "long prompt": {"messages": [{"role": "user", "content": "word " * 40_000}]},
    "system first": {"messages": [{"role": "system", "content": "Be brief."}, USER]},
    "developer alone": {"messages": [{"role": "developer", "content": "Say hi."}]},
    "systems alone": {"messages": [{"role": "system", "content": s} for s in ("Be", "brief.")]},
    "system in the middle": {
        "messages": [USER, assistant(), {"role": "system", "content": "Be brief."}, USER]
    },
    "system last": {"messages": [USER, {"role": "system", "content": "Be brief."}]},
    "system after the answer": {
        "messages": [USER, assistant(), {"role": "developer", "content": "Be brief."}]
    },
    "systems between": {
        "messages": [
            {"role": "system", "content": "A"},
            USER,
            {"role": "system", "content": "B"},
            assistant(),
            {"role": "developer", "content": "C"},
            {"role": "system", "content": "D"},
            USER,
        ]
    },
    "system beside results": {
        "messages": [
            USER,
            called("c1"),
            {"role": "system", "content": "B"},
            result("c1"),
            {"role": "system", "content": "C"},
        ],
        "tools": [WEATHER],
    },
    "empty system": {"messages": [{"role": "system", "content": ""}, USER]},
    "blank user": {"messages": [{"role": "user", "content": " "}]},
    "empty user": {"messages": [{"role": "user", "content": ""}]},
    "blank user between": {
        "messages": [USER, assistant(), {"role": "user", "content": "\n"}, assistant(), USER]
    },
    "blank user last": {"messages": [USER, assistant(), {"role": "user", "content": ""}]},
    "blank part": {"messages": [user(text(""), text("Hi"))]},
    "trailing assistant": {"messages": [USER, assistant("So ")]},
    "assistant alone": {"messages": [assistant("So")]},
    "leading assistant": {"messages": [assistant(), USER]},
    "empty assistant": {"messages": [USER, assistant(""), USER]},
    "two users": {"messages": [USER, USER]},
    "named user": {"messages": [{**USER, "name": "ann"}]},
    "oddly named user": {"messages": [{**USER, "name": "Ann B."}]},
    "refusal in history": {
        "messages": [USER, {"role": "assistant", "content": None, "refusal": "No."}, USER]
    },
    "reasoning in history": {"messages": [USER, assistant(reasoning_content="I think"), USER]},
    "foreign thinking in history": {
        "messages": [
            USER,
            assistant(thinking_blocks=[{"type": "thinking", "thinking": "I", "signature": "c2ln"}]),
            USER,
        ]
    },
    "history of tools": {"messages": [USER, called("c1"), result("c1"), USER], "tools": [WEATHER]},
    "running tool turn": {"messages": [USER, called("c1"), result("c1")], "tools": [WEATHER]},
    "history of tools, none now": {"messages": [USER, called("c1"), result("c1"), USER]},
    "parallel results": {
        "messages": [USER, called("c1", "c2"), result("c2"), result("c1")],
        "tools": [WEATHER],
    },
    "tool id again": {
        "messages": [USER, called("c1"), result("c1"), USER, called("c1"), result("c1")],
        "tools": [WEATHER],
    },
    "long tool id": {
        "messages": [USER, called("c" * 94), result("c" * 94)],
        "tools": [WEATHER],
    },
    "odd tool id": {
        "messages": [USER, called("functions.weather:0"), result("functions.weather:0")],
        "tools": [WEATHER],
    },
    "odd tool name in history": {
        "messages": [USER, called("c1", name="fs.list dir"), result("c1")],
        "tools": [WEATHER],
    },
    "long tool name in history": {
        "messages": [USER, called("c1", name="n" * 94), result("c1")],
        "tools": [WEATHER],
    },
    "empty tool result": {
        "messages": [USER, called("c1"), result("c1", "")],
        "tools": [WEATHER],
    },
    "tool result in parts": {
        "messages": [USER, called("c1"), result("c1", [text("sunny")])],
        "tools": [WEATHER],
    },
    "user beside results": {
        "messages": [USER, called("c1"), result("c1"), USER],
        "tools": [WEATHER],
    },
}

MEDIA: dict[str, Json] = {
    "image": {"messages": [user(text(), image())]},
    "image alone": {"messages": [user(image())]},
    "image mislabelled": {"messages": [user(text(), image("image/jpeg"))]},
    "document": {"messages": [user(text(), file())]},
    "document alone": {"messages": [user(file())]},
    "one document twice": {"messages": [user(text(), file()), assistant(), user(text(), file())]},
    "six documents": {"messages": [user(text(), *(file(f"r{i}.pdf") for i in range(6)))]},
    **{
        f"{kind} file": {"messages": [user(text(), text_file(f"notes.{kind}", media_type))]}
        for kind, media_type in {
            "txt": "text/plain",
            "md": "text/markdown",
            "csv": "text/csv",
            "json": "application/json",
            "py": "text/x-python",
        }.items()
    },
    "text file alone": {"messages": [user(text_file())]},
    "six files, two of text": {
        "messages": [
            user(
                text(), *(file(f"r{i}.pdf") for i in range(4)), text_file("a.md"), text_file("b.md")
            )
        ]
    },
    "six text files": {"messages": [user(text(), *(text_file(f"{i}.txt") for i in range(6)))]},
    "text file beside results": {
        "messages": [USER, called("c1"), result("c1"), user(text(), text_file())],
        "tools": [WEATHER],
    },
    "document beside results": {
        "messages": [USER, called("c1"), result("c1"), user(text(), file())],
        "tools": [WEATHER],
    },
}

_MARK = {"cache_control": {"type": "ephemeral"}}
CACHE: dict[str, Json] = {
    "cache marks": {
        "messages": [
            {"role": "system", "content": [text("Be brief.", **_MARK)]},
            user(text("Hi", **_MARK)),
        ],
        "tools": [{**WEATHER, **_MARK}],
    },
    "cache mark on a message": {"messages": [{**USER, **_MARK}]},
    "cache mark at the top": dict(_MARK),
    "six cache marks": {"messages": [user(*[text("Hi", **_MARK)] * 6)]},
    "cache mark on a blank text": {"messages": [user(text(), text("", **_MARK))]},
    "cache marks out of order": {
        "messages": [
            user(
                text("Hi", **_MARK),
                text("Hi", cache_control={"type": "ephemeral", "ttl": "1h"}),
            )
        ]
    },
}

ASKS: dict[str, Json] = {
    **TOOLS,
    **FORMATS_ASKED,
    **REASONING,
    **PARAMETERS,
    **MESSAGES,
    **MEDIA,
    **CACHE,
}
