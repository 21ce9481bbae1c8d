"""GET, POST, PATCH and DELETE /api/v1/api-keys, and its rotation."""

from losi.aws.handler import Handler
from losi.web.app import create_app

app = create_app("api_keys")
handler = Handler(app)
