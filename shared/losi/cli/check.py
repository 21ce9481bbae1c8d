"""`losi check`."""

import re
from typing import TYPE_CHECKING

import typer

from losi.cli.output import print_json
from losi.cli.session import Json

if TYPE_CHECKING:
    from losi.catalogue.models import Catalogue

#: In front of a model's id where a profile spreads its calls over Regions:
#: https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
_GEOGRAPHY = re.compile(r"(us|us-gov|eu|apac|jp|au|ca|global)\.")


def register(app: typer.Typer) -> None:
    app.command("check")(check)


def check(as_json: Json = False) -> None:
    """Check models, plans and providers, yours and the shipped ones.

    Yours are in config/. It names the file, entry and field of every mistake; then the exit
    code is 1. No API needs to run.

    \b
    Example:
      losi check
    """
    from losi.catalogue import loader

    try:
        catalogue = loader.load()
    except loader.CatalogueError as error:
        if as_json:
            print_json({"mistakes": error.mistakes})
        else:
            typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    counts = {
        "models": len(catalogue.models),
        "plans": len(catalogue.plans),
        "providers": len(catalogue.providers),
    }
    on_bedrock = bedrock_models(catalogue)
    if as_json:
        print_json({"mistakes": [], **counts, "bedrock_models": on_bedrock})
        return
    counted = ", ".join(f"{count} {what}" for what, count in counts.items())
    typer.echo(f"No mistakes: {counted}. Your own are read from {loader.CONFIG.resolve()}.")
    if on_bedrock:
        typer.echo(f"Models on Bedrock, for template.yaml's BedrockModels: {','.join(on_bedrock)}")


def bedrock_models(catalogue: "Catalogue") -> list[str]:
    """Ids of the Bedrock foundation models that routes name: those the chat function may call."""
    routes = [route for model in catalogue.models.values() for route in model.routes]
    named = [route.model for route in routes if route.provider.format == "bedrock"]
    return sorted({_GEOGRAPHY.sub("", name, count=1) for name in named})
