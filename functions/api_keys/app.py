"""GET, POST, PATCH and DELETE /api/v1/api-keys, and its rotation."""

from losi.web.api_keys import router
from mangum import Mangum

from losi.web.app import create_app

app = create_app(router)
handler = Mangum(app, lifespan="off")
