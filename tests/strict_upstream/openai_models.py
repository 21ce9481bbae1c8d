"""What one of OpenAI's models takes, for both of its endpoints (models.toml)."""

from dataclasses import dataclass

from tests.strict_upstream.rules import Json, models

_NEWER = ("5.4", "5.5", "5.6", "6", "6.1")


@dataclass(frozen=True)
class OpenAIModel:
    id: str
    row: Json

    @property
    def generation(self) -> str:
        return str(self.row["generation"])

    @property
    def efforts(self) -> list[str]:
        return list(self.row.get("efforts", []))

    @property
    def is_newer(self) -> bool:
        """gpt-5.4 and later: O3, O4."""
        return self.generation in _NEWER

    @property
    def is_gpt_6(self) -> bool:
        return self.generation in ("6", "6.1")

    @property
    def counts_input_alone(self) -> bool:
        """gpt-5 and later: O80."""
        return self.generation[0] in "56"

    def effort(self, asked: str | None) -> str:
        """The effort that applies (O7); `none` where the model does not reason."""
        return str(asked or self.row.get("default", "none"))

    def reasons(self, asked: str | None) -> bool:
        return self.effort(asked) != "none"


def openai_model(model_id: str) -> OpenAIModel | None:
    row = models()["openai"].get(model_id)
    return None if row is None else OpenAIModel(model_id, row)


#: Tokens that reasoning takes before anything is said: plausible, and all the double knows.
REASONING_TOKENS = {
    "none": 0, "minimal": 16, "low": 64, "medium": 256, "high": 1024, "xhigh": 4096, "max": 8192,
}  # fmt: skip
