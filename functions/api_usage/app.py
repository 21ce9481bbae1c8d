"""GET /api/v1/api-usage."""

from mangum import Mangum

from losi.web.api_usage import router
from losi.web.app import create_app

app = create_app(router)
handler = Mangum(app, lifespan="off")
