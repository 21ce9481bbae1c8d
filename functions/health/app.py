"""GET /api/v1/health."""

from losi.aws.handler import Handler
from losi.web.app import create_app

app = create_app("health")
handler = Handler(app)
