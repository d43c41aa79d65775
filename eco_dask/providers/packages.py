"""Which packages a provider has, and whether they are what a job needs.

    installed ──list_packages──► "numpy==2.3.1", ... ──wire──► read_packages ─┐
    job(require={"packages": ...}) ──package_tags──► "package:numpy>=2" ──────┴─► satisfied ──► tags

A need is a tag like any other to the engine: a provider has it if its version fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from eco_dask.errors import ConfigurationError, RegistrationError
from eco_dask.text import clean
from eco_dask.wire.messages import PACKAGE_CHARS_MAX, PACKAGES_MAX

#: Characters of one need's versions, and needs of one job.
SPECIFIER_CHARS_MAX = 100
NEEDS_MAX = 32
#: What the tags start with that stand for packages.
TAG_PREFIX = "package:"

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", re.ASCII)
_TAG = re.compile(r"package:([a-z0-9-]+)(.*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class PackageNeed:
    """One package that a job needs, such as ``xarray>=2024``."""

    #: As package indexes write it: lower case, hyphens.
    name: str
    versions: SpecifierSet

    def __str__(self) -> str:
        return f"{self.name}{self.versions}"

    @property
    def tag(self) -> str:
        """The tag that stands for it."""
        return f"{TAG_PREFIX}{self}"

    @classmethod
    def of(cls, name: str, versions: object) -> PackageNeed:
        """Make a need of a name and what a recruiter wrote beside it.

        Parameters
        ----------
        name : str
            Of the distribution, as for ``pip install``.
        versions : str or True
            A version specifier such as ``">=2024,<2026"``; ``""``, ``"*"`` or True for any.

        Raises
        ------
        ConfigurationError
            If it is no name or no specifier.
        """
        canonical = canonicalize_name(name) if isinstance(name, str) else ""
        if not _NAME.fullmatch(canonical):
            raise ConfigurationError(
                f"require= names packages as pip does, such as 'xarray'; got {name!r:.100}"
            )
        text = "" if versions is True or versions == "*" else versions
        if not isinstance(text, str) or len(text) > SPECIFIER_CHARS_MAX:
            raise ConfigurationError(_odd_versions(name, versions))
        try:
            return cls(canonical, SpecifierSet(text))
        except InvalidSpecifier as error:
            raise ConfigurationError(_odd_versions(name, versions)) from error

    def accepts(self, version: str | None) -> bool:
        """Whether a provider with that version has what is needed; None if it lacks the package."""
        # A pre-release that is installed is what the owner chose.
        return version is not None and self.versions.contains(version, prereleases=True)


def package_tags(packages: object) -> tuple[str, ...]:
    """Return the tags for ``require={"packages": packages}``.

    Raises
    ------
    ConfigurationError
        If it is no mapping of names to version specifiers, or too long a one.
    """
    if not isinstance(packages, Mapping) or len(packages) > NEEDS_MAX:
        raise ConfigurationError(
            f"require={{'packages': ...}} maps at most {NEEDS_MAX} packages to versions, such as "
            f"{{'xarray': '>=2024'}}; got {packages!r:.100}"
        )
    return tuple(PackageNeed.of(name, versions).tag for name, versions in packages.items())


@lru_cache(maxsize=4096)
def need_of(tag: str) -> PackageNeed | None:
    """Return the need that a tag stands for; None for another tag.

    Raises
    ------
    ConfigurationError
        If it starts like one and is none.
    """
    if not tag.startswith(TAG_PREFIX):
        return None
    match = _TAG.fullmatch(tag)
    return PackageNeed.of(match[1], match[2]) if match else PackageNeed.of(tag, True)


def list_packages(versions: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a provider says of its packages; those without a usual version are left out."""
    listed = []
    for name, version in versions.items():
        entry = f"{canonicalize_name(name)}=={version}"
        if _parse(entry) is not None:
            listed.append(entry)
    return tuple(sorted(listed)[:PACKAGES_MAX])


def read_packages(listed: Iterable[str]) -> dict[str, str]:
    """Read what :func:`list_packages` gave, from a peer that may send anything.

    Raises
    ------
    RegistrationError
        Code ``"bad-packages"``: an entry is no package with a version, or there are too many.
    """
    found: dict[str, str] = {}
    for entry in listed:
        parsed = _parse(entry)
        if parsed is None or len(found) >= PACKAGES_MAX:
            raise RegistrationError(
                "bad-packages",
                f"the provider's list of packages is malformed at {clean(entry, 80)!r}; run the "
                "same eco-dask version as the gateway",
            )
        found[parsed[0]] = parsed[1]
    return found


def satisfied(needs: Iterable[PackageNeed], packages: Mapping[str, str]) -> frozenset[str]:
    """Return the tags of those needs that a provider with these packages meets."""
    return frozenset(need.tag for need in needs if need.accepts(packages.get(need.name)))


def _parse(entry: str) -> tuple[str, str] | None:
    name, _, version = entry.partition("==")
    if len(entry) > PACKAGE_CHARS_MAX or not _NAME.fullmatch(name):
        return None
    try:
        return name, str(Version(version))
    except InvalidVersion:
        return None


def _odd_versions(name: object, versions: object) -> str:
    return (
        "require={'packages': ...} takes a version specifier such as '>=2024,<2026', or '' for any "
        f"version; got {versions!r:.100} for {name!r:.100}"
    )
