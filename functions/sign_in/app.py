"""GET /api/v1/session/oidc and its callback."""

from losi.aws.handler import Handler
from losi.web.app import create_app

app = create_app("sign_in")
handler = Handler(app)
