"""A service of BentoML 1.2 and later: a class whose methods are the endpoints."""

import bentoml
import numpy as np
from bentoml.models import BentoModel


@bentoml.service(name="iris_classifier")
class IrisClassifier:
    # Declared in the class, the model belongs to the Bento. `latest` is looked up when the Bento is built: the Bento
    # then holds that one version.
    iris_clf = BentoModel("iris_clf:latest")

    def __init__(self) -> None:
        self.model = bentoml.sklearn.load_model(self.iris_clf)

    @bentoml.api
    def classify(self, x: np.ndarray) -> np.ndarray:
        """Name the species (0, 1 or 2) of each row of sepal length and width, petal length and width in cm."""
        return self.model.predict(x)
