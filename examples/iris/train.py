"""Train the model of this example and save it into BentoML's model store."""

import bentoml
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

iris = load_iris()
classifier = LogisticRegression(max_iter=1000, random_state=0).fit(iris.data, iris.target)

model = bentoml.sklearn.save_model("iris_clf", classifier)
print(f"Saved {model.tag}")
