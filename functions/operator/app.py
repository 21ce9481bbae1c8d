"""/api/v1/operator: accounts and routes, for operators who signed in to the console."""

from losi.aws.handler import Handler
from losi.web.app import create_app

app = create_app("operator")
handler = Handler(app)
