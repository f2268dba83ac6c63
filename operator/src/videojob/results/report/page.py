"""Sets the page's words into its templates."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from videojob.results.report.content import ReportData
from videojob.results.report.timeline import BAR_HEIGHT, WIDTH
from videojob.results.report.view import page_of


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("videojob.results.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_report(data: ReportData) -> str:
    """The report as one HTML document; the same data gives the same text."""
    template = _environment().get_template("report.html")
    return template.render(page=page_of(data), chart_width=WIDTH, bar_height=BAR_HEIGHT)
