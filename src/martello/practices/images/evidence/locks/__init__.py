"""Lock files: what a project has pinned, one reader a format."""

from __future__ import annotations

from martello.practices.images.evidence.locks import (
    bun,
    cargo,
    composer,
    conan,
    dotnet,
    go,
    jvm,
    npm,
    others,
    pnpm,
    pom,
    python_locks,
    requirements,
    swift,
    yarn,
)
from martello.practices.images.evidence.locks.settle import settle

READERS = (
    *bun.READERS,
    *cargo.READERS,
    *composer.READERS,
    *conan.READERS,
    *dotnet.READERS,
    *go.READERS,
    *jvm.READERS,
    *npm.READERS,
    *others.READERS,
    *pnpm.READERS,
    *pom.READERS,
    *python_locks.READERS,
    *requirements.READERS,
    *swift.READERS,
    *yarn.READERS,
)

__all__ = ["READERS", "settle"]
