"""POST /api/v1/chat/completions. Deployed, losi.runtime serves `app` so that answers stream."""

from mangum import Mangum

from losi.web.app import create_app
from losi.web.chat_completions import router

app = create_app(router)
handler = Mangum(app, lifespan="off")
