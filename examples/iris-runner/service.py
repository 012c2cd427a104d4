"""A service of BentoML 1.0 and 1.1: functions around a model that a runner serves."""

import bentoml
import numpy as np
from bentoml.io import NumpyNdarray

# A runner is the model in a process of its own. `latest` is looked up when the Bento is built: the Bento then holds
# that one version.
iris_clf_runner = bentoml.sklearn.get("iris_clf:latest").to_runner()

svc = bentoml.Service("iris_classifier", runners=[iris_clf_runner])


@svc.api(input=NumpyNdarray(), output=NumpyNdarray())
async def classify(x: np.ndarray) -> np.ndarray:
    """Name the species (0, 1 or 2) of each row of sepal length and width, petal length and width in cm."""
    return await iris_clf_runner.predict.async_run(x)
