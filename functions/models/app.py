"""GET /api/v1/models and /api/v1/models/{id}."""

from mangum import Mangum

from losi.web.app import create_app
from losi.web.models import router

app = create_app(router)
handler = Mangum(app, lifespan="off")
