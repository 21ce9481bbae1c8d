"""The documents of the console: the same frame around a heading, a script each."""

from dataclasses import dataclass
from html import escape

NAV = (
    ("", "Overview"),
    ("playground/", "Playground"),
    ("usage/", "Usage"),
    ("settings/api/", "API keys"),
    ("models/", "Models"),
    ("settings/", "Profile settings"),
)


@dataclass(frozen=True, slots=True)
class Page:
    path: str
    title: str
    script: str
    #: The navigation entry under which the page is shown.
    nav: str = ""
    heading: str = ""
    sandbox_banner: bool = False


PAGES = (
    Page("", "Overview", "overview", sandbox_banner=True),
    Page("playground/", "Playground", "playground", "playground/", sandbox_banner=True),
    Page("usage/", "Usage", "usage", "usage/", "API usage statistics"),
    Page("settings/", "Profile settings", "settings", "settings/"),
    Page("settings/api/", "API keys", "keys", "settings/api/", "Manage API keys"),
    Page("settings/api/new/", "Create a key", "newkey", "settings/api/"),
    Page("settings/api/key/", "API key", "key", "settings/api/"),
    Page("settings/api/leaked/", "Is a key leaked?", "leaked", "settings/api/"),
    Page("settings/sessions/", "Sessions", "sessions", "settings/"),
    Page("settings/audit/", "Audit log", "audit", "settings/"),
    Page("models/", "Models", "models", "models/"),
    Page("operator/accounts/", "Accounts", "accounts", "operator/accounts/"),
    Page("operator/account/", "Account", "account", "operator/accounts/"),
    Page("operator/routes/", "Routes", "routes", "operator/routes/"),
)

#: Whether only operators see it.
OPERATOR_NAV = (("operator/accounts/", "Accounts"), ("operator/routes/", "Routes"))

DESCRIPTION = "API keys, usage, models and a playground of the Losi API."

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title} · Losi API</title>
<meta name="description" content="{description}">
<link rel="icon" href="{assets}icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{assets}style.css">
<script src="{assets}theme.js"></script>
{modules}</head>
"""

_SCRIPTLESS = """<p class="problem scriptless"><span>The console needs JavaScript. The API, the \
command <code>losi</code> and the <a href="{root}../docs/">docs</a> work without it.</span></p>"""


def console_documents(assets: str) -> dict[str, str]:
    """Path of the file -> its text. `assets` is the name of the assets' folder."""
    documents = {f"console/{page.path}index.html": document(page, assets) for page in PAGES}
    documents["console/signin/index.html"] = _sign_in(assets)
    documents["console/deleted/index.html"] = _plain(
        assets,
        "../",
        "The account is deleted",
        "<p class='lead'>Its keys, usage and sessions are gone.</p>"
        "<p class='section'><a class='button' href='../signin/'>Sign in</a></p>",
    )
    documents["404.html"] = not_found(assets)
    return documents


def document(page: Page, assets: str) -> str:
    root = "../" * page.path.count("/")
    return (
        head(page.title, f"{root}assets/{assets}/", page.script)
        + f"""<body{" data-sandbox-banner" if page.sandbox_banner else ""}>
<a class="skip" href="#main">Skip to content</a>
<header class="top"><button class="button quiet" type="button" popovertarget="menu">Menu</button>
<a class="brand" href="{root or "./"}">Losi API</a>
<span class="who" aria-hidden="true"></span></header>
{_nav(page, root)}
<div class="framed"><main id="main" tabindex="-1" aria-busy="true">
<div class="head"><h1 tabindex="-1">{escape(page.heading or page.title)}</h1></div>
<div role="status" class="notice"></div>
{_SCRIPTLESS.format(root=root)}
<div class="problem" hidden></div>
</main></div>
</body>
</html>
"""
    )


def head(title: str, assets: str, script: str | None = None, description: str = DESCRIPTION) -> str:
    modules = ""
    if script:
        modules = (
            f'<link rel="modulepreload" href="{assets}vendor/preact.js">\n'
            f'<link rel="modulepreload" href="{assets}lib.js">\n'
            f'<script type="module" src="{assets}pages/{script}.js"></script>\n'
        )
    return _HEAD.format(
        title=escape(title), assets=assets, modules=modules, description=escape(description)
    )


def _nav(page: Page, root: str) -> str:
    items = [
        f'<li{hidden}><a href="{root + path or "./"}"{_current(page, path)}>{name}</a></li>'
        for entries, hidden in ((NAV, ""), (OPERATOR_NAV, " data-operator hidden"))
        for path, name in entries
    ]
    return f"""<nav class="menu" id="menu" popover aria-label="Console">
<a class="brand" href="{root or "./"}">Losi API</a>
<ul>{"".join(items)}</ul>
<ul><li><a href="{root}../docs/">Docs</a></li>
<li><button type="button" data-sign-out>Sign out</button></li></ul></nav>"""


def _current(page: Page, path: str) -> str:
    return ' aria-current="page"' if page.nav == path else ""


def _sign_in(assets: str) -> str:
    return (
        head("Sign in", f"../assets/{assets}/", "signin")
        + f"""<body>
<main class="signin" id="main">
<a class="brand" href="../">Losi API</a>
<h1 tabindex="-1">Sign in</h1>
<p class="lead">Keys, usage and a playground for the models of this API.</p>
{_SCRIPTLESS.format(root="../")}
</main>
</body>
</html>
"""
    )


def _plain(assets: str, root: str, heading: str, body: str) -> str:
    return (
        head(heading, f"{root}assets/{assets}/")
        + f'<body>\n<main class="signin" id="main">\n<a class="brand" href="{root}">Losi API</a>\n'
        f"<h1>{escape(heading)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def not_found(assets: str) -> str:
    """The 404 page. It is served at any depth, so its links begin with a placeholder that the
    server fills.
    """
    return (
        head("There is no such page", f"%PREFIX%/console/assets/{assets}/")
        + """<body>
<main class="signin" id="main">
<a class="brand" href="%PREFIX%/">Losi API</a>
<h1>There is no page at <code>%PATH%</code></h1>
%HELP%
<div class="row section">
<a class="button" href="%PREFIX%/console/">Overview</a>
<a class="button" href="%PREFIX%/console/settings/api/">API keys</a>
<a class="button" href="%PREFIX%/docs/">Docs</a></div>
</main>
</body>
</html>
"""
    )
