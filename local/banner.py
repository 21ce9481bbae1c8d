"""What `make run` prints: where it is, the key, and two things to paste."""

import shlex
from pathlib import Path

from losi.upstream.registry import configured
from losi.web.dependencies import Services


def banner(base_url: str, key: str, services: Services, data: Path) -> str:
    folder = shlex.quote(str(data))
    return f"""
Losi API is running.

  Console    {base_url.removesuffix("/api/v1")}/console/
  Docs       {base_url.removesuffix("/api/v1")}/docs/
  Base URL   {base_url}
  Demo key   {key}
             (ultra plan, every permission; the same at every start)
  Data       {data}/: they survive a restart; FRESH=1 make run forgets them
  Answers    {_answers(services)}

Try it with curl:

  curl {base_url}/chat/completions \\
    -H "Authorization: Bearer {key}" \\
    -H "Content-Type: application/json" \\
    -d '{{"model": "losi-omega", "messages": [{{"role": "user", "content": "Hello!"}}]}}'

Or with OpenAI's SDK, in another shell in this folder:

  . {folder}/demo.env
  .venv/bin/python - <<'PYTHON'
  from openai import OpenAI

  stream = OpenAI().chat.completions.create(
      model="losi-omega",
      messages=[{{"role": "user", "content": "Tell me a story"}}],
      stream=True,
  )
  for chunk in stream:
      print(chunk.choices[0].delta.content or "", end="", flush=True)
  PYTHON

Stop with Ctrl-C."""


def _answers(services: Services) -> str:
    """Say who answers which model, so that nobody takes the sandbox for a model."""
    config = services.config
    real = [
        f"{model.id} ({route.provider.name})"
        for model in services.catalogue.models.values()
        for route in [next((r for r in model.routes if configured(config, r.provider)), None)]
        if route is not None
    ]
    if not real:
        return (
            "every model is answered by the sandbox: deterministic test answers.\n"
            "             Set LOSI_OPENAI_API_KEY or LOSI_ANTHROPIC_API_KEY for real models."
        )
    rest = len(services.catalogue.models) - len(real)
    others = "\n             all other models are answered by the sandbox." if rest else ""
    return f"{', '.join(real)}{';' if rest else ''}{others}"
