"""GET /api/v1/api-usage."""

from losi.aws.handler import Handler
from losi.web.api_usage import router
from losi.web.app import create_app

app = create_app(router)
handler = Handler(app)
