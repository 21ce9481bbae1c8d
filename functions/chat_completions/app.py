"""POST /api/v1/chat/completions. Deployed, losi.runtime serves `app` so that answers stream."""

from losi.web.app import create_app
from losi.web.chat_completions import router
from losi.web.handler import Handler

app = create_app(router)
handler = Handler(app)
