# Written by bentomake. The layers stand in the order in which things change, the sources last.

FROM --platform=$BUILDPLATFORM python:3.7-slim as buildstage
RUN mkdir /tmp/mypackage

WORKDIR /tmp/mypackage/
COPY mypackage .
RUN python setup.py sdist && mv dist/mypackage-0.0.1.tar.gz mypackage.tar.gz

# The sources are put together here, so that they are one layer of the image.
FROM scratch AS bento
COPY apis /bento/apis/
COPY src /bento/src/
COPY *.* /bento/

# Base image and system packages
FROM python:3.11-slim AS base-container
ENV LANG=C.UTF-8 LC_ALL=C.UTF-8 PYTHONIOENCODING=UTF-8 PYTHONUNBUFFERED=1


# User
RUN groupadd --gid 1034 --non-unique bentoml \
 && useradd --uid 1034 --gid 1034 --non-unique --create-home --home-dir /home/bentoml bentoml \
 && mkdir -p /home/bentoml/bento && chown bentoml:bentoml /home/bentoml/bento

# Environment
ENV BENTO_PATH="/home/bentoml/bento" BENTOML_HOME="/home/bentoml/"
ENV BENTOML_CONTAINERIZED=true BENTOML_HF_CACHE_DIR="/home/bentoml/bento/hf-models"
WORKDIR /home/bentoml/bento

# Python requirements. A feature of bentoml is one of its extras: --build-arg BENTOML_FEATURES=io-image,grpc
COPY --chown=bentoml:bentoml env/python ./env/python/
ARG BENTOML_FEATURES=
RUN export PIP_NO_CACHE_DIR=1 PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
 && cd ./env/python && python3 -m pip install -r requirements.txt \
 && if [ -n "$BENTOML_FEATURES" ]; then version=$(python3 -c "import bentoml; print(bentoml.__version__)") \
     && python3 -m pip install "bentoml[$BENTOML_FEATURES]==$version"; fi

# Models. A Bento may have none, and a COPY must find something: the entrypoint goes along, then to its own place.
COPY --chown=bentoml:bentoml env/docker/entrypoint.sh model[s] ./models/
COPY --chown=bentoml:bentoml env/docker/entrypoint.sh hf-model[s] ./hf-models/
RUN mkdir -p ./env/docker && mv -f ./models/entrypoint.sh ./env/docker/ && rm ./hf-models/entrypoint.sh && chmod 0755 ./env/docker/entrypoint.sh

# Sources
COPY --from=bento --chown=bentoml:bentoml /bento/ ./

COPY --from=buildstage mypackage.tar.gz /tmp/wheels/
RUN --network=none pip install --find-links /tmp/wheels mypackage

# Start: HTTP on 3000; metrics of a gRPC server on 3001
EXPOSE 3000 3001
USER bentoml
ENTRYPOINT ["/home/bentoml/bento/env/docker/entrypoint.sh"]
