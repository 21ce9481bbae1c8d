"""What a plan has of the catalogue, and what callers of other models are told."""

import dataclasses
from dataclasses import replace

import pytest

from losi.catalogue.models import Catalogue, Kind
from losi.errors import ModelNotFoundError, ModelNotInPlanError
from tests.catalogue import CATALOGUE

FREE, ULTRA = CATALOGUE.plans["free"], CATALOGUE.plans["ultra"]


def with_model(model_id: str, **changes: object) -> Catalogue:
    changed = CATALOGUE.models[model_id].model_copy(update=changes)
    return replace(CATALOGUE, models={**CATALOGUE.models, model_id: changed})


def test_a_model_of_the_plan_is_found() -> None:
    assert CATALOGUE.find("gpt-4o-mini", FREE, "chat").id == "gpt-4o-mini"


def test_an_unknown_model_is_refused_with_those_that_the_plan_has() -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        CATALOGUE.find("gpt-9", FREE, "chat")

    assert caught.value.message == (
        "The model 'gpt-9' does not exist. "
        "Your plan has for chat completions: gpt-4o-mini, gpt-3.5-turbo."
    )
    assert caught.value.param == "model"


def test_a_model_of_other_plans_is_refused_with_their_names() -> None:
    with pytest.raises(ModelNotInPlanError, match=r"It comes with: plus, pro, ultra\.") as refused:
        CATALOGUE.find("gpt-4o", FREE, "chat")
    assert refused.value.param == "model"


def test_a_retired_model_is_gone_for_callers_and_kept_for_the_usage_of_the_past() -> None:
    retired = with_model("gpt-4o-mini", plans=frozenset())

    with pytest.raises(ModelNotFoundError):
        retired.find("gpt-4o-mini", ULTRA)
    kept = retired.by_code("4om")
    assert kept is not None and kept.prices.output > 0


class TestKinds:
    @pytest.mark.parametrize(
        ("model", "kind", "words"),
        [
            (
                "text-embedding-3-small",
                "chat",
                "makes embeddings: ask it with POST /api/v1/embeddings. Your plan has for chat "
                "completions: gpt-4o-mini, gpt-3.5-turbo.",
            ),
            (
                "gpt-3.5-turbo",
                "embedding",
                "makes chat completions: ask it with POST /api/v1/chat/completions. Your plan has "
                "for embeddings: text-embedding-3-small.",
            ),
        ],
    )
    def test_a_model_of_one_does_not_do_the_other_s_work(
        self, model: str, kind: Kind, words: str
    ) -> None:
        with pytest.raises(ModelNotFoundError) as caught:
            CATALOGUE.find(model, FREE, kind)

        assert caught.value.message == f"The model '{model}' {words}"

    def test_a_plan_may_have_none_of_a_kind(self) -> None:
        chats = [model.id for model in CATALOGUE.of_plan(FREE, "chat")]
        silent = dataclasses.replace(
            CATALOGUE, models={k: m for k, m in CATALOGUE.models.items() if k in chats}
        )
        with pytest.raises(ModelNotFoundError, match=r"for embeddings: none\."):
            silent.find("gpt-4o-mini", FREE, "embedding")

    def test_the_list_has_both_with_their_kind(self) -> None:
        listed = [model.to_openai() for model in CATALOGUE.of_plan(FREE)]

        assert [(row["id"], row["kind"], row["max_output_tokens"]) for row in listed] == [
            ("gpt-4o-mini", "chat", 16_384),
            ("gpt-3.5-turbo", "chat", 4_096),
            ("text-embedding-3-small", "embedding", None),
        ]
