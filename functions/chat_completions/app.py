"""POST /api/v1/chat/completions. Deployed, losi.aws.runtime serves `app` so that answers stream."""

from losi.aws.handler import Handler
from losi.web.app import create_app

app = create_app("chat_completions")
handler = Handler(app)
