# Written by bentomake. The layers stand in the order in which things change, the sources last.


# The sources are put together here, so that they are one layer of the image.
FROM scratch AS bento
COPY apis /bento/apis/
COPY src /bento/src/
COPY *.* /bento/

# Base image and system packages
FROM python:3.11-slim AS base-container
ENV LANG=C.UTF-8 LC_ALL=C.UTF-8 PYTHONIOENCODING=UTF-8 PYTHONUNBUFFERED=1
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends build-essential \
 && rm -rf /var/lib/apt/lists/*
# The template has words that only bash knows
SHELL ["/bin/bash", "-c"]


WORKDIR /tmp

COPY ./src/tfops/zero_out.cc .

RUN pip3 install tensorflow
RUN set -ex && \
	TF_CFLAGS=( $(python3 -c 'import tensorflow as tf; print(" ".join(tf.sysconfig.get_compile_flags()))') ) && \
	TF_LFLAGS=( $(python3 -c 'import tensorflow as tf; print(" ".join(tf.sysconfig.get_link_flags()))') ) && \
	g++ --std=c++14 -shared zero_out.cc -o zero_out.so -fPIC ${TF_CFLAGS[@]} ${TF_LFLAGS[@]} -I$(python -c 'import tensorflow as tf; print(tf.sysconfig.get_include());') -D_GLIBCXX_USE_CXX11_ABI=0 -O2


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

RUN stat /usr/lib/zero_out.so

# Start: HTTP on 3000; metrics of a gRPC server on 3001
EXPOSE 3000 3001
USER bentoml
ENTRYPOINT ["/home/bentoml/bento/env/docker/entrypoint.sh"]
