"""The files that the catalogue makes: the views' migration and the page docs/metrics.md."""

from collections.abc import Mapping

from schemas.metrics import METRICS, page, views
from schemas.metrics.model import Metric


def rendered_files(metrics: Mapping[str, Metric] = METRICS) -> dict[str, str]:
    """Path in the repository -> text."""
    return {views.FILE: views.rendered_views(metrics), page.FILE: page.rendered_page(metrics)}
