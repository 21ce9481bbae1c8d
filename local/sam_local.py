"""`make deploy`, and what comes before it: `make validate`, `sam-build` and `sam-local`."""

import os
import signal
import sys
from collections.abc import Mapping
from types import FrameType

from local.banner import banner
from local.data import FolderUnusableError, open_data
from local.demo import ensure_demo_key, write_demo_env
from local.docker import DockerUnavailableError, docker, ensure_image
from local.journal import DamagedJournalError
from local.listening import NoPortError, NotListeningError, chosen_port
from local.python313 import Python313MissingError
from local.sam import SamFailedError, build, deploy, function_environment, run, start_api
from local.store import ENDPOINT, StoreUnusableError, open_store
from losi.config import read_config
from losi.web.dependencies import Services

#: Errors that are printed without a traceback.
FAILURES = (
    *(DockerUnavailableError, NotListeningError, Python313MissingError, SamFailedError),
    *(FolderUnusableError, DamagedJournalError, StoreUnusableError, NoPortError),
)


def main(command: str, settings: str = "default") -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        if command == "validate":
            print(run("validate", "--lint"), end="")
        elif command == "build":
            print(f"Built {build().parent}")
        elif command == "deploy":
            deploy(settings)
        else:
            start(chosen_port())
    except FAILURES as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.")
    return 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    # only the first Ctrl-C counts: a second one would leave containers and a daemon running
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("\nStopping the containers ...", flush=True)
    raise KeyboardInterrupt


def start(port: int) -> None:
    """Build and serve until interrupted, with a demo account in an embedded DynamoDB."""
    with docker() as environment:
        ensure_image(environment)
        print("Building the functions and their layer ...", flush=True)
        built = build()
        # containers reach the store from an address other than this machine's
        anywhere = "0.0.0.0"  # noqa: S104
        data, named = open_data(port), os.environ.get(ENDPOINT)
        os.environ.setdefault("LOSI_SANDBOX_FALLBACK", "1")
        endpoint = open_store(data, anywhere)
        services = Services(read_config())  # only now: the environment is as it should be
        key = ensure_demo_key(services.accounts, data.demo_env)
        variables = function_environment(services.config.table, endpoint)
        with (
            start_api(built, variables, port, environment) as base_url,
            data.reachable(base_url, endpoint, services.config.table),
        ):
            write_demo_env(data, base_url, key)
            print(banner(base_url, key, services, data.path))
            _explain(endpoint if endpoint != named else None, environment)
            signal.pause()


def _explain(embedded: str | None, docker_environment: Mapping[str, str]) -> None:
    print("\nThese are the deployed functions in Docker: they answer in one piece, also")
    print("with stream=True, and the first call of each takes seconds.", flush=True)
    if embedded:
        print(f"Their table, {embedded}, has no password and listens on every")
        print("address of this machine, as containers need: let no stranger reach that port.")
    for name, value in docker_environment.items():
        print(f"Docker clients find its daemon with export {name}={value}", flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
