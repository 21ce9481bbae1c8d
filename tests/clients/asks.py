"""One question to this API by each Python client, as its documentation asks for structured output.

    OPENAI_BASE_URL=... OPENAI_API_KEY=... python asks.py CLIENT MODEL

Ends with 0 when the client got a value of its type.
"""

import asyncio
import os
import sys
from enum import StrEnum

from pydantic import BaseModel, Field

QUESTION = "What is the weather in Oslo?"


class Sky(StrEnum):
    CLEAR = "clear"
    CLOUDY = "cloudy"


class Day(BaseModel):
    name: str
    degrees: float = Field(ge=-60, le=60)


class Weather(BaseModel):
    """The weather of a city."""

    city: str = Field(description="its name in English")
    degrees: int = Field(ge=-60, le=60)
    sky: Sky
    wind: float | None = Field(default=None, gt=0)
    days: list[Day] = Field(min_length=1, max_length=7)


class City(BaseModel):
    city: str
    degrees: int


def openai_parse(model: str) -> object:
    from openai import OpenAI

    client = OpenAI()
    ask = [{"role": "user", "content": QUESTION}]
    answer = client.chat.completions.parse(model=model, messages=ask, response_format=City)
    return answer.choices[0].message.parsed


def openai_parse_bounds(model: str) -> object:
    from openai import OpenAI

    ask = [{"role": "user", "content": QUESTION}]
    answer = OpenAI().chat.completions.parse(model=model, messages=ask, response_format=Weather)
    return answer.choices[0].message.parsed


def openai_parse_tool(model: str) -> object:
    from openai import OpenAI, pydantic_function_tool

    ask = [{"role": "user", "content": QUESTION}]
    tools = [pydantic_function_tool(Weather)]
    answer = OpenAI().chat.completions.parse(
        model=model, messages=ask, tools=tools, tool_choice="required"
    )
    return answer.choices[0].message.tool_calls[0].function.parsed_arguments


def instructor_tools(model: str) -> object:
    import instructor
    from openai import OpenAI

    client = instructor.from_openai(OpenAI(), mode=instructor.Mode.TOOLS)
    ask = [{"role": "user", "content": QUESTION}]
    return client.chat.completions.create(model=model, messages=ask, response_model=Weather)


def instructor_json_schema(model: str) -> object:
    import instructor
    from openai import OpenAI

    client = instructor.from_openai(OpenAI(), mode=instructor.Mode.JSON_SCHEMA)
    ask = [{"role": "user", "content": QUESTION}]
    return client.chat.completions.create(model=model, messages=ask, response_model=Weather)


def pydantic_ai_native(model: str) -> object:
    from pydantic_ai import Agent, NativeOutput
    from pydantic_ai.models.openai import OpenAIChatModel

    return (
        Agent(OpenAIChatModel(model), output_type=NativeOutput(Weather)).run_sync(QUESTION).output
    )


def pydantic_ai_tool(model: str) -> object:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel

    return Agent(OpenAIChatModel(model), output_type=Weather).run_sync(QUESTION).output


def langchain_json_schema(model: str) -> object:
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(model=model).with_structured_output(Weather, method="json_schema")
    return chat.invoke(QUESTION)


def langchain_function_calling(model: str) -> object:
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(model=model).with_structured_output(Weather, method="function_calling")
    return chat.invoke(QUESTION)


def haystack(model: str) -> object:
    from haystack.components.generators.chat import OpenAIChatGenerator
    from haystack.dataclasses import ChatMessage

    generator = OpenAIChatGenerator(model=model, generation_kwargs={"response_format": Weather})
    [reply] = generator.run([ChatMessage.from_user(QUESTION)])["replies"]
    return Weather.model_validate_json(reply.text)


def semantic_kernel(model: str) -> object:
    from semantic_kernel.connectors.ai.open_ai import (
        OpenAIChatCompletion,
        OpenAIChatPromptExecutionSettings,
    )
    from semantic_kernel.contents import ChatHistory

    history = ChatHistory()
    history.add_user_message(QUESTION)
    settings = OpenAIChatPromptExecutionSettings(response_format=Weather)
    service = OpenAIChatCompletion(ai_model_id=model)
    answer = asyncio.run(service.get_chat_message_content(history, settings))
    return Weather.model_validate_json(str(answer))


def autogen(model: str) -> object:
    from autogen_core.models import ModelInfo, UserMessage
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    info = ModelInfo(
        vision=True,
        function_calling=True,
        json_output=True,
        family="unknown",
        structured_output=True,
    )
    # without one, it asks Anthropic for whatever is called claude
    url, key = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]
    client = OpenAIChatCompletionClient(model=model, model_info=info, base_url=url, api_key=key)
    ask = [UserMessage(content=QUESTION, source="user")]
    answer = asyncio.run(client.create(ask, json_output=Weather))
    return Weather.model_validate_json(answer.content)


def agno(model: str) -> object:
    from agno.agent import Agent
    from agno.models.openai import OpenAIChat

    return Agent(model=OpenAIChat(id=model), output_schema=Weather).run(QUESTION).content


def llm_schema(model: str) -> object:
    import llm
    from llm.default_plugins.openai_models import Chat

    chat = Chat(
        model, model_name=model, api_base=os.environ["OPENAI_BASE_URL"], supports_schema=True
    )
    chat.key = os.environ["OPENAI_API_KEY"]
    schema = llm.schema_dsl("city, degrees int")
    return City.model_validate_json(chat.prompt(QUESTION, schema=schema, stream=False).text())


CLIENTS = {
    one.__name__: one
    for one in (
        openai_parse,
        openai_parse_bounds,
        openai_parse_tool,
        instructor_tools,
        instructor_json_schema,
        pydantic_ai_native,
        pydantic_ai_tool,
        langchain_json_schema,
        langchain_function_calling,
        haystack,
        semantic_kernel,
        autogen,
        agno,
        llm_schema,
    )
}

if __name__ == "__main__":
    value = CLIENTS[sys.argv[1]](sys.argv[2])
    assert isinstance(value, BaseModel), value
    sys.stdout.write(f"{value}\n")
