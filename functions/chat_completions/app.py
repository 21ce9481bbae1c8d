"""POST /api/v1/chat/completions. Deployed, losi.aws.runtime serves `app` so that answers stream."""

from losi.aws.handler import Handler
from losi.web.app import create_app
from losi.web.chat_completions import router

app = create_app(router)
handler = Handler(app)
