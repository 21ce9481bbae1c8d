"""GET /api/v1/models and /api/v1/models/{id}."""

from losi.aws.handler import Handler
from losi.web.app import create_app
from losi.web.models import router

app = create_app(router)
handler = Handler(app)
