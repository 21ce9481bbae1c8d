"""POST /api/v1/embeddings. Deployed, losi.aws.runtime serves `app` so that long answers fit."""

from losi.aws.handler import Handler
from losi.web.app import create_app

app = create_app("embeddings")
handler = Handler(app)
