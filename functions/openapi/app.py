"""GET /api/v1/openapi.json."""

from losi.aws.handler import Handler
from losi.web.app import create_app

app = create_app("openapi")
handler = Handler(app)
