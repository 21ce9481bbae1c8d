"""GET /api/v1/api-usage."""

from mangum import Mangum

from losi.web.app import create_app
from losi.web.api_usage import router

app = create_app(router)
handler = Mangum(app, lifespan="off")
