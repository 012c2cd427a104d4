"""The README.md of a Bento whose service has none: what it offers and how to serve it.

Written without a template engine: loading one would cost more than all the rest of putting a Bento together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def readme(tag: str, service: Mapping[str, Any], bentoml_version: str) -> str:
    """Markdown; `service` is the description that the step service made."""
    lines = [f"# {tag}", "", f"A BentoML service, built by bentomake for BentoML {bentoml_version}.", ""]
    routes = (service.get("schema") or {}).get("routes")
    if service.get("apis"):
        lines += ["| API | takes | gives |", "| --- | --- | --- |"]
        lines += [f"| `POST /{a['name']}` | {a['input_type']} | {a['output_type']} |" for a in service["apis"]]
    elif routes:
        lines += ["| API | route |", "| --- | --- |"]
        lines += [f"| `{route['name']}` | `POST {route['route']}` |" for route in routes]
    lines += [
        "",
        f"Serve it with `bentoml serve {tag}`. What it is made of, with the digest of every file, "
        "is in `bentomake.sha256`.",
    ]
    return "\n".join(lines) + "\n"
