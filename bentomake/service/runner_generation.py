"""Runs in the user's interpreter: a `bentoml.Service` with runners (1.0, 1.1, bentoml.legacy) as plain data."""

from __future__ import annotations

import io
from typing import Any


def describe(service: Any, request: dict[str, Any], fail: Any) -> dict[str, Any]:
    """`name`, `runners`, `apis`, `models` as bento.yaml has them, and `openapi_yaml`."""
    import yaml
    from bentoml._internal.bento.bento import (
        BentoApiInfo,
        BentoRunnerInfo,
    )

    try:
        from bentoml._internal.utils.cattr import (
            bentoml_cattr,
        )
    except ImportError:  # before 1.4
        from bentoml._internal.utils import bentoml_cattr

    models: dict[str, dict[str, Any]] = {}
    for model in [*service.models, *(model for runner in service.runners for model in runner.models)]:
        models.setdefault(
            str(model.tag),
            {
                "tag": str(model.tag),
                "module": model.info.module,
                "creation_time": model.info.creation_time.isoformat(),
                "registry": "bentoml",
                "metadata": None,
                "of": None,
            },
        )
    openapi = io.StringIO()
    yaml.dump(service.openapi_spec, openapi)
    return {
        "name": service.name,
        "entry_service": service.name,
        "runners": [bentoml_cattr.unstructure(BentoRunnerInfo.from_runner(runner)) for runner in service.runners],
        "apis": [bentoml_cattr.unstructure(BentoApiInfo.from_inference_api(api)) for api in service.apis.values()],
        "models": list(models.values()),
        "openapi_yaml": openapi.getvalue(),
    }
