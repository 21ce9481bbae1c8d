"""Scripts and styles: copied under a folder named after their hash, the library joined into one.

Every request of a page is an invocation, so the modules of lib/ are served as one file. Their text
is joined unchanged, except that imports between them are removed and imports from vendor/ merged.
Therefore no two modules may define the same name.
"""

import hashlib
import re
import shutil
from pathlib import Path

#: The order of the modules: each comes after those that it uses while it is loaded.
LIBRARY = ("api", "format", "ui", "samples", "draft", "tabs", "chart", "keys", "usage", "frame")
#: Loaded by a page only when it is needed.
LAZY = ("markdown",)

_IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.MULTILINE)
_NAME = re.compile(r"^(?:export )?(?:async )?(?:const|let|function\*?|class) (\w+)", re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:const|function\*?|class) (\w+)", re.MULTILINE)
_FORBIDDEN = re.compile(r"innerHTML|dangerouslySetInnerHTML|\bstyle=|\beval\(|new Function")


class SiteError(Exception):
    """A source of the site breaks a rule; the message says which and where."""


def build_assets(source: Path, target: Path) -> str:
    """Write them under target/<hash>/ and return the hash."""
    _check(source)
    built = target / "new"
    shutil.copytree(source, built, ignore=shutil.ignore_patterns("lib", "LICENSES.md"))
    (built / "lib.js").write_text(join_library(source / "lib"), "utf-8")
    for name in LAZY:
        text = (source / "lib" / f"{name}.js").read_text("utf-8")
        (built / f"{name}.js").write_text(text.replace('from "../vendor/', 'from "./vendor/'))
    digest = hashlib.sha256()
    for file in sorted(each for each in built.rglob("*") if each.is_file()):
        digest.update(file.relative_to(built).as_posix().encode() + file.read_bytes())
    name = digest.hexdigest()[:12]
    built.rename(target / name)
    return name


def join_library(folder: Path) -> str:
    """lib/*.js as one module. Raises SiteError where two define the same name."""
    vendor: dict[str, set[str]] = {}
    parts, owners = [], dict[str, str]()
    for module in LIBRARY:
        text = (folder / f"{module}.js").read_text("utf-8")
        for names, origin in _IMPORT.findall(text):
            if origin.startswith("../vendor/"):
                known = vendor.setdefault(origin.replace("../", "./", 1), set())
                known |= {name.strip() for name in names.split(",") if name.strip()}
        text = _IMPORT.sub("", text)
        for name in _NAME.findall(text):
            if name in owners:
                raise SiteError(f"lib/{module}.js and lib/{owners[name]}.js both define {name}")
            owners[name] = module
        parts.append(text.strip())
    imports = [
        f'import {{ {", ".join(sorted(names))} }} from "{origin}";'
        for origin, names in sorted(vendor.items())
    ]
    return "\n".join(imports) + "\n\n" + "\n\n".join(parts) + "\n"


def _check(source: Path) -> None:
    """Refuse here already what the Content-Security-Policy would refuse in the browser."""
    exported = set()
    for module in LIBRARY:
        exported |= set(_EXPORT.findall((source / "lib" / f"{module}.js").read_text("utf-8")))
    for file in (*(source / "lib").glob("*.js"), *(source / "pages").glob("*.js")):
        text = file.read_text("utf-8")
        if found := _FORBIDDEN.search(text):
            raise SiteError(f"{file.name}: {found.group()} is refused by the page's policy")
        for names, origin in _IMPORT.findall(text):
            wanted = {name.strip() for name in names.split(",") if name.strip()}
            if origin == "../lib.js" and (missing := wanted - exported):
                raise SiteError(f"{file.name} imports what lib/ lacks: {', '.join(missing)}")
