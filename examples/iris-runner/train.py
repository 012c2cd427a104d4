"""Train the model of this example and save it into BentoML's model store."""

import bentoml
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

iris = load_iris()
classifier = LogisticRegression(max_iter=1000, random_state=0).fit(iris.data, iris.target)

# The signature says which methods a runner offers; batchable ones may be called with several requests at once.
model = bentoml.sklearn.save_model("iris_clf", classifier, signatures={"predict": {"batchable": True}})
print(f"Saved {model.tag}")
