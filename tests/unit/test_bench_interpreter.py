"""The report of a measurement says whether Python was built with optimisation, as it is known."""

from __future__ import annotations

import sys

import pytest

from bench.interpreter import Interpreter, interpreter

DEBIAN = {"NAME": "Debian GNU/Linux", "ID": "debian"}
UBUNTU = {"NAME": "Ubuntu", "ID": "ubuntu", "ID_LIKE": "debian"}
MINT = {"NAME": "Linux Mint", "ID": "linuxmint", "ID_LIKE": "ubuntu debian"}
FEDORA = {"NAME": "Fedora Linux", "ID": "fedora"}


@pytest.mark.parametrize("distribution", [DEBIAN, UBUNTU, MINT])
def test_debian_and_who_descends_from_it_optimise_and_do_not_say_so(
    distribution: dict[str, str],
) -> None:
    found = Interpreter("3.11.2", "/usr", "'--enable-shared' '--prefix=/usr'", distribution)

    name = distribution["NAME"]
    assert str(found) == f"CPython 3.11.2 of {name}, built with optimisation"


def test_others_say_that_they_optimise() -> None:
    docker = Interpreter("3.13.1", "/usr/local", "'--enable-optimizations' '--with-lto'", DEBIAN)
    fedora = Interpreter("3.12.4", "/usr", "'--enable-optimizations' '--with-lto'", FEDORA)

    assert str(docker) == "CPython 3.13.1, built with optimisation"
    assert str(fedora) == "CPython 3.12.4 of Fedora Linux, built with optimisation"


def test_a_build_by_hand_is_not_the_distributions() -> None:
    pyenv = Interpreter("3.11.7", "/home/me/.pyenv/versions/3.11.7", "'--enable-shared'", DEBIAN)

    assert str(pyenv) == "CPython 3.11.7, built without --enable-optimizations"


def test_a_venv_is_what_it_was_made_of() -> None:
    found = interpreter(sys.executable)

    assert (found.version, found.base_prefix) == (sys.version.split()[0], sys.base_prefix)
