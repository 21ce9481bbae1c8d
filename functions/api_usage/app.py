"""GET /api/v1/api-usage."""

from losi.web.api_usage import router
from losi.web.app import create_app
from losi.web.handler import Handler

app = create_app(router)
handler = Handler(app)
