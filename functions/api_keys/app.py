"""GET, POST, PATCH and DELETE /api/v1/api-keys, and its rotation."""

from mangum import Mangum

from losi.web.app import create_app
from losi.web.api_keys import router

app = create_app(router)
handler = Mangum(app, lifespan="off")
