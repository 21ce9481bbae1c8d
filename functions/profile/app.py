"""GET, PATCH and DELETE /api/v1/profile, and its export."""

from losi.aws.handler import Handler
from losi.web.app import create_app

app = create_app("profile")
handler = Handler(app)
