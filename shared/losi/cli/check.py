"""`losi check`."""

import typer

from losi.cli.output import print_json
from losi.cli.session import Json


def register(app: typer.Typer) -> None:
    app.command("check")(check)


def check(as_json: Json = False) -> None:
    """Check models, plans and providers, yours and the shipped ones.

    Yours are in config/. Every mistake is named with its file, entry and field, and
    makes the exit code 1. No API needs to run.

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
    if as_json:
        print_json({"mistakes": [], **counts})
        return
    told = ", ".join(f"{count} {what}" for what, count in counts.items())
    typer.echo(f"No mistakes: {told}. Your own are read from {loader.CONFIG.resolve()}.")
