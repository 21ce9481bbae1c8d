"""GET /api/v1/api-usage."""

from losi.aws.handler import Handler
from losi.web.app import create_app

app = create_app("api_usage")
handler = Handler(app)
