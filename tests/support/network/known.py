"""What the examples of the network checks are told from outside the objects."""

from __future__ import annotations

from typing import Any, Final

from martello.core.resource import Location, Ref
from martello.practices.network.intents.promises import parse_intents
from martello.practices.network.lint.together import Noted, Promises

DB: Final = Ref("", "networking.k8s.io/v1", "NetworkPolicy", "shop", "db")
RULE: Final = ("spec", "ingress", 0)
NEVER: Final = {"never": [{"from": {"namespace": "dev"}, "to": {"namespace": "prod"}}]}


def facts() -> dict[str, Any]:
    """Intents, and what flows and a fleet showed of one policy."""
    intents = parse_intents(NEVER, lambda path: Location("intents.yaml", 1, 1))
    return {
        "intents": Promises(intents),
        "flows": (
            Noted("NET-022", DB, "nobody was seen to use this rule in 30 days", RULE),
            Noted("NET-023", DB, "shop/api tries TCP 5432, which no rule lets in", RULE),
        ),
        "fleet": (Noted("NET-021", DB, "its block is in the pod ranges of a and of b", RULE),),
    }
