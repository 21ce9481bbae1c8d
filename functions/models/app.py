"""GET /api/v1/models and /api/v1/models/{id}."""

from losi.aws.handler import Handler
from losi.web.app import create_app

app = create_app("models")
handler = Handler(app)
