"""Who acts, for whom, and how we know."""

from __future__ import annotations

import msgspec

__all__ = ["DEFAULT_TENANT", "ENGINE", "Principal"]

DEFAULT_TENANT = "default"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """An actor, the one it acts for, and how it was authenticated.

    `auth` is `engine` (the engine itself), `embedded` (code in the engine's own process), `peer` (a local process
    whose user the kernel vouched for) or `lease` (a running job, known by its fence).
    """

    actor: str
    auth: str
    on_behalf_of: str
    tenant: str = DEFAULT_TENANT


ENGINE = Principal(actor="engine", auth="engine", on_behalf_of="engine")
