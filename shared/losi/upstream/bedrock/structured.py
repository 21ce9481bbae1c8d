"""Which models on Bedrock keep to a schema by fields of Converse. Pure.

Others refuse the fields or ignore them, so they are not sent:
https://github.com/BerriAI/litellm/pull/31585, https://github.com/lobehub/lobehub/issues/19876,
https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
"""

import re

from losi.upstream.claude import is_claude

_CLAUDE = re.compile(r"claude-(haiku-4-5|sonnet-4-[56]|opus-4-[56])(?!\d)")
_OTHERS = re.compile(r"mistral|qwen|zai\.glm|moonshot|minimax|nemotron")


def takes_strict_tools(model: str) -> bool:
    """`toolSpec.strict`"""
    return bool(_CLAUDE.search(model) or _OTHERS.search(model))


def takes_format(model: str) -> bool:
    """`outputConfig.textFormat`"""
    return not is_claude(model) or bool(_CLAUDE.search(model))
