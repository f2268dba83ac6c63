"""PURE: the report of a run, one HTML page that needs nothing but itself.

`render_report(ReportData)` is the way in. The page makes no request of any kind, holds no script, and works printed,
dark, on a telephone and as an attachment to a mail; every word that comes from outside is escaped by the template.

Numbers become words and places in `view`, `tables`, `timeline` and `spent`; the templates only set them.
"""

from videojob.results.report.content import Peak, PeakPicture, ReportData
from videojob.results.report.page import render_report
from videojob.results.report.peaks import choose_peaks

__all__ = ["Peak", "PeakPicture", "ReportData", "choose_peaks", "render_report"]
