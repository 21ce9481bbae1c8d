"""Right entries of an operator's files in config/, which tests then make wrong."""

MODEL = """
[[models]]
id = "mine"
code = "xm"
description = "A model"
owned_by = "me"
created = 1
features = ["tools"]
plans = ["free"]
context_window = 1000
max_output_tokens = 100
prices = { input = 1.0, output = 2.0 }
routes = [{ provider = "sandbox", model = "losi-sandbox" }]
"""
EMBEDDING = (
    MODEL.replace('id = "mine"', 'id = "mine"\nkind = "embedding"')
    .replace("max_output_tokens = 100\n", "")
    .replace(", output = 2.0", "")
    .replace('["tools"]', "[]")
)
PLAN = """
[mine]
keys = 1
requests_per_minute = 10
tokens_per_minute = 40_000
tokens_per_day = 100_000
in_flight = 2
hold_output_tokens = 1_024
"""
PROVIDER = """
[mine]
name = "Mine"
format = "openai"
base_url = "https://llm.example/v1"
key_variable = "LOSI_MINE_API_KEY"
"""
