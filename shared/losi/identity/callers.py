"""The caller of a metered request: from the authenticator's cache, or by one read on the event
loop.
"""

import asyncio

import anyio.to_thread

from losi.identity.authenticator import Authenticator
from losi.identity.principal import Principal
from losi.identity.secret import Secret
from losi.identity.session import Credential, SessionToken
from losi.store.client import PROFILE, key_sort
from losi.store.reads import Reads


class Callers:
    """Serves one event loop."""

    def __init__(self, authenticator: Authenticator, reads: Reads) -> None:
        self._authenticator = authenticator
        self._reads = reads
        #: Reads in progress, by the text of the key: simultaneous requests with one key share a
        #: read.
        self._reading: dict[str, asyncio.Task[Principal]] = {}

    async def authenticate(self, credential: Credential, *, fresh: bool = False) -> Principal:
        """The principal. Raises what `Authenticator.authenticate` raises."""
        if isinstance(credential, SessionToken):  # a session of the console: read every time
            return await anyio.to_thread.run_sync(self._authenticator.authenticate, credential)
        if fresh:  # a read that began earlier may be outdated
            return await self._read(credential)
        if (known := self._authenticator.known(credential)) is not None:
            return known
        task = self._reading.get(credential.text)
        if task is None:
            task = self._reading[credential.text] = asyncio.create_task(self._read(credential))
            task.add_done_callback(lambda _: self._reading.pop(credential.text))
        return await asyncio.shield(task)

    async def permit(self, principal: Principal, permission: str) -> None:
        """Raises PermissionDeniedError (403) that names the permission the key lacks."""
        if permission not in principal.permissions:  # it may write a refusal down, which blocks
            await anyio.to_thread.run_sync(self._authenticator.permit, principal, permission)

    async def _read(self, key: Secret) -> Principal:
        self._authenticator.may_read(key)
        sorts = (PROFILE, key_sort(key.key_id))
        found = await self._reads.get_all(key.account_id, sorts)
        return await anyio.to_thread.run_sync(self._authenticator.judge, key, found)
