"""Topic `definition`: names and status of what events mention. Compacted; no envelope but `store_id`."""

from typing import Literal

from msgspec import Struct

from schemas.events.fields import Id, Instant, StoreId


class Definition(Struct, kw_only=True, gc=False):
    """One thing as it is from `effective_at` (epoch ms) on. `status` may be None only for `goal` and `product`."""

    store_id: StoreId
    kind: Literal["experience", "ab_test", "journey", "goal", "product"]
    id: Id
    status: Literal["active", "running", "paused", "ended"] | None = None
    name: Id | None = None
    effective_at: Instant
