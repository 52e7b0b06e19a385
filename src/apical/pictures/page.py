"""Pages that need nothing from outside: a template, pictures and values come in; one HTML file goes out."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from apical.errors import writing

__all__ = ["write_page"]


def write_page(path: Path, template: str, pictures: Mapping[str, Path], **values: object) -> None:
    """Fill in a template of `pages/`; it finds PNG files by name in `pictures`, as base64."""
    environment = Environment(
        loader=PackageLoader("apical", "pages"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
    )
    embedded = {name: base64.b64encode(picture.read_bytes()).decode() for name, picture in pictures.items()}
    text = environment.get_template(template).render(pictures=embedded, **values)
    with writing(str(path)):
        path.write_text(text, encoding="utf-8")
