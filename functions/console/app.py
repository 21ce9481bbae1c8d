"""The console and the docs. Deployed, losi.aws.runtime serves `app`, compressed as it is."""

from pathlib import Path

from losi.aws.handler import Handler
from losi.config import read_config
from losi.web.site import Site

app = Site(Path(__file__).parent / "public", read_config().support)
handler = Handler(app)
