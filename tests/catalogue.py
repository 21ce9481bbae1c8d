"""Models, plans and providers of the tests' own: no test depends on those that are shipped."""

from pathlib import Path

from losi.catalogue.loader import load

FOLDER = Path(__file__).parent / "data" / "catalogue"
CATALOGUE = load(FOLDER)
PROVIDERS = CATALOGUE.providers
