"""Topics `impression`, `click` and `cart`: products shown, looked at, put into the cart and taken out."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.events.envelope import Envelope
from schemas.events.fields import MAX_PRODUCTS, Id, Position, Quantity


class ShownProduct(Struct, kw_only=True, gc=False):
    """One product of an impression; `position` as the producer counts it, None if it did not."""

    product_id: Id
    position: Position | None = None


class ProductsShown(Envelope, tag=False, kw_only=True, gc=False):
    """A recommendation that was really seen: 1 to 200 products of one widget."""

    # A field and not a tag: for a union of one the decoder would not insist on the tag.
    type: Literal["shown"]
    widget_id: Id
    strategy: Id | None = None
    placement: Id | None = None
    products: Annotated[list[ShownProduct], Meta(min_length=1, max_length=MAX_PRODUCTS)]


class ProductClicked(Envelope, tag="clicked", kw_only=True, gc=False):
    """A product was clicked, in a widget or elsewhere."""

    product_id: Id
    widget_id: Id | None = None


class DetailViewed(Envelope, tag="detail_viewed", kw_only=True, gc=False):
    """The details of a product were viewed."""

    product_id: Id
    widget_id: Id | None = None


class CartAdded(Envelope, tag="added", kw_only=True, gc=False):
    """A quantity of a product was put into the cart."""

    product_id: Id
    sku: Id | None = None
    quantity: Quantity
    cart_id: Id | None = None


class CartRemoved(Envelope, tag="removed", kw_only=True, gc=False):
    """A quantity of a product was taken out of the cart."""

    product_id: Id
    sku: Id | None = None
    quantity: Quantity
    cart_id: Id | None = None


class CartEmptied(Envelope, tag="emptied", kw_only=True, gc=False):
    """All products were taken out of the cart."""

    cart_id: Id | None = None


ImpressionEvent = ProductsShown
ClickEvent = ProductClicked | DetailViewed
CartEvent = CartAdded | CartRemoved | CartEmptied
