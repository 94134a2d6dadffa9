"""The whole corpus."""

from typing import Final

from tests.corpus import fields, shapes

KINDS: Final = (*shapes.kinds(), *fields.kinds())
