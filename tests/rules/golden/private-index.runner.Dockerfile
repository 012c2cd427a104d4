# Written by bentomake. The layers stand in the order in which things change, the sources last.

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
WORKDIR /home/bentoml/bento

# Python requirements. A feature of bentoml is one of its extras: --build-arg BENTOML_FEATURES=io-image,grpc
COPY --chown=bentoml:bentoml env/python ./env/python/
ARG BENTOML_FEATURES=
RUN --mount=type=secret,id=KEY --mount=type=secret,id=MODE --mount=type=secret,id=TOKEN,required=true PIP_NO_CACHE_DIR=1 BENTOML_FEATURES="$BENTOML_FEATURES" sh ./env/python/install.sh

# Models. A Bento may have none, and a COPY must find something: the entrypoint goes along, then to its own place.
COPY --chown=bentoml:bentoml env/docker/entrypoint.sh model[s] ./models/
RUN mkdir -p ./env/docker && mv -f ./models/entrypoint.sh ./env/docker/ && chmod 0755 ./env/docker/entrypoint.sh

# Sources
COPY --from=bento --chown=bentoml:bentoml /bento/ ./

# Start: HTTP on 3000; metrics of a gRPC server on 3001
EXPOSE 3000 3001
USER bentoml
ENTRYPOINT ["/home/bentoml/bento/env/docker/entrypoint.sh"]
