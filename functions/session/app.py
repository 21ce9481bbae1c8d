"""Signing in to the console and out of it: /api/v1/session and /api/v1/sessions."""

from losi.aws.handler import Handler
from losi.web.app import create_app

app = create_app("session")
handler = Handler(app)
