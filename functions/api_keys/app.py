"""GET, POST, PATCH and DELETE /api/v1/api-keys, and its rotation."""

from losi.web.api_keys import router
from losi.web.app import create_app
from losi.web.handler import Handler

app = create_app(router)
handler = Handler(app)
