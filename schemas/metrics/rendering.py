"""The files that the catalogue makes: the migrations of its views and the page docs/metrics.md."""

from collections.abc import Mapping

from schemas.metrics import METRICS, customer_views, page, views
from schemas.metrics.model import Metric


def rendered_files(metrics: Mapping[str, Metric] = METRICS) -> dict[str, str]:
    """Path in the repository -> text."""
    return {
        views.FILE: views.rendered_views(metrics),
        customer_views.FILE: customer_views.rendered_customer_views(),
        page.FILE: page.rendered_page(metrics),
    }
