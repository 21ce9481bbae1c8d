"""GET /api/v1/audit-log."""

from losi.aws.handler import Handler
from losi.web.app import create_app

app = create_app("audit_log")
handler = Handler(app)
