"""The page that shows a whole training; it is made by the package of the TensorBoard tab."""

from kerasviz_timeline.export_html import ExportedPage, export_html

__all__ = ["ExportedPage", "export_html"]
