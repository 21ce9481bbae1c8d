"""The demo account: ultra plan, every permission, one key that stays the same between starts."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path

from local.data import DataFolder
from losi.errors import NotFoundError
from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.identity.secret import Secret, mint, new_account_id, parse
from losi.management.accounts import Accounts

KEY_NAME = "Demo key"
EMAIL = "demo@losi.local"


def ensure_demo_key(accounts: Accounts, demo_env: Path) -> str:
    """Make the key of the last start valid in this table, or create one at the first start."""
    key = _remembered(demo_env) or mint(new_account_id())
    if not _exists(lambda: accounts.account(key.account_id)):
        accounts.create_account("ultra", name="Demo", email=EMAIL, account_id=key.account_id)
    if not _exists(lambda: accounts.key(key.account_id, key.key_id)):
        accounts.create_key(key.account_id, NewKey(KEY_NAME, frozenset(PERMISSIONS)), key)
    return key.text


def account_of(key: str) -> str:
    """The account id of a demo key."""
    parsed = parse(key)
    assert parsed is not None
    return parsed.account_id


def _exists(look: Callable[[], object]) -> bool:
    try:
        look()
    except NotFoundError:
        return False
    return True


def write_demo_env(data: DataFolder, base_url: str, key: str) -> None:
    """Write the variables that OpenAI's SDKs read, and for `losi` the place of this server's data.
    Only the owner can read the file.
    """
    names = {
        "OPENAI_BASE_URL": base_url,
        "OPENAI_API_KEY": key,
        "LOSI_DATA": shlex.quote(str(data.path.resolve())),
    }
    lines = [*(f"{name}={value}" for name, value in names.items()), f"export {' '.join(names)}"]
    descriptor = os.open(data.demo_env, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(lines) + "\n")


def _remembered(demo_env: Path) -> Secret | None:
    if not demo_env.is_file():
        return None
    for line in demo_env.read_text().splitlines():
        name, _, value = line.partition("=")
        if name == "OPENAI_API_KEY":
            return parse(value.strip())
    return None
