# Written by bentomake. The layers stand in the order in which things change, the sources last.

# Caches of the template begin with this: empty.
FROM scratch AS cached

FROM debian:bullseye-slim as conda-build

RUN --mount=type=cache,from=cached,sharing=shared,target=/var/cache/apt \
	--mount=type=cache,from=cached,sharing=shared,target=/var/lib/apt \
	apt-get update -y && \
	apt-get install -y --no-install-recommends --allow-remove-essential \
	software-properties-common \
	bzip2 \
	ca-certificates \
	git \
	libglib2.0-0 \
	libsm6 \
	libxext6 \
	libxrender1 \
	mercurial \
	openssh-client \
	procps \
	subversion \
	wget && \
	apt-get clean

ENV PATH /opt/conda/bin:$PATH

ARG CONDA_VERSION=py39_4.11.0

RUN set -ex && \
	UNAME_M=$(uname -m) && \
	if [ "${UNAME_M}" = "x86_64" ]; then \
	MINICONDA_URL="https://repo.anaconda.com/miniconda/Miniconda3-${CONDA_VERSION}-Linux-x86_64.sh"; \
	SHA256SUM="4ee9c3aa53329cd7a63b49877c0babb49b19b7e5af29807b793a76bdb1d362b4"; \
	elif [ "${UNAME_M}" = "s390x" ]; then \
	MINICONDA_URL="https://repo.anaconda.com/miniconda/Miniconda3-${CONDA_VERSION}-Linux-s390x.sh"; \
	SHA256SUM="e5e5e89cdcef9332fe632cd25d318cf71f681eef029a24495c713b18e66a8018"; \
	elif [ "${UNAME_M}" = "aarch64" ]; then \
	MINICONDA_URL="https://repo.anaconda.com/miniconda/Miniconda3-${CONDA_VERSION}-Linux-aarch64.sh"; \
	SHA256SUM="00c7127a8a8d3f4b9c2ab3391c661239d5b9a88eafe895fd0f3f2a8d9c0f4556"; \
	elif [ "${UNAME_M}" = "ppc64le" ]; then \
	MINICONDA_URL="https://repo.anaconda.com/miniconda/Miniconda3-${CONDA_VERSION}-Linux-ppc64le.sh"; \
	SHA256SUM="8ee1f8d17ef7c8cb08a85f7d858b1cb55866c06fcf7545b98c3b82e4d0277e66"; \
	fi && \
	wget "${MINICONDA_URL}" -O miniconda.sh -q && echo "${SHA256SUM} miniconda.sh" > shasum && \
	if [ "${CONDA_VERSION}" != "latest" ]; then \
	sha256sum --check --status shasum; \
	fi && \
	mkdir -p /opt && \
	sh miniconda.sh -b -p /opt/conda && rm miniconda.sh shasum && \
	find /opt/conda/ -follow -type f -name '*.a' -delete && \
	find /opt/conda/ -follow -type f -name '*.js.map' -delete && \
	/opt/conda/bin/conda clean -afy

# The sources are put together here, so that they are one layer of the image.
FROM scratch AS bento
COPY apis /bento/apis/
COPY src /bento/src/
COPY *.* /bento/

# Base image and system packages
FROM nvidia/cuda:11.6.2-cudnn8-runtime-ubuntu20.04 AS base-container
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates python3-pip \
 && rm -rf /var/lib/apt/lists/*
RUN PIP_NO_CACHE_DIR=1 PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install uv \
 && UV_PYTHON_INSTALL_DIR=/opt/python uv venv --no-cache --seed --python 3.11 /opt/venv
ENV PATH=/opt/venv/bin:$PATH
ENV LANG=C.UTF-8 LC_ALL=C.UTF-8 PYTHONIOENCODING=UTF-8 PYTHONUNBUFFERED=1


ENV PATH /opt/conda/bin:$PATH

COPY --from=conda-build /opt/conda /opt/conda

RUN set -ex && \
	ln -s /opt/conda/etc/profile.d/conda.sh /etc/profile.d/conda.sh && \
	echo ". /opt/conda/etc/profile.d/conda.sh" >> ~/.bashrc && \
	echo "/opt/conda/bin/conda activate base" >> ~/.bashrc


# User
RUN groupadd --gid 1034 --non-unique bentoml \
 && useradd --uid 1034 --gid 1034 --non-unique --create-home --home-dir /home/bentoml bentoml \
 && mkdir -p /home/bentoml/bento && chown bentoml:bentoml /home/bentoml/bento


SHELL [ "/bin/bash", "-eo", "pipefail", "-c" ]
# Environment
ENV BENTO_PATH="/home/bentoml/bento" BENTOML_HOME="/home/bentoml/"
WORKDIR /home/bentoml/bento

COPY env/conda /home/bentoml/bento/env/conda/
RUN /opt/conda/bin/conda install -y -n base --override-channels -c conda-forge python=3.11 pip \
 && if [ -f /home/bentoml/bento/env/conda/environment.yml ]; then /opt/conda/bin/conda env update -n base -f /home/bentoml/bento/env/conda/environment.yml; fi \
 && /opt/conda/bin/conda clean -afy

# Conda packages
COPY --chown=bentoml:bentoml env/conda ./env/conda/

# Python requirements. A feature of bentoml is one of its extras: --build-arg BENTOML_FEATURES=io-image,grpc
COPY --chown=bentoml:bentoml env/python ./env/python/
ARG BENTOML_FEATURES=
RUN PIP_NO_CACHE_DIR=1 BENTOML_FEATURES="$BENTOML_FEATURES" sh ./env/python/install.sh

# Models. A Bento may have none, and a COPY must find something: the entrypoint goes along, then to its own place.
COPY --chown=bentoml:bentoml env/docker/entrypoint.sh model[s] ./models/
RUN mkdir -p ./env/docker && mv -f ./models/entrypoint.sh ./env/docker/ && chmod 0755 ./env/docker/entrypoint.sh

# Sources
COPY --from=bento --chown=bentoml:bentoml /bento/ ./

# Start: HTTP on 3000; metrics of a gRPC server on 3001
EXPOSE 3000 3001
USER bentoml
ENTRYPOINT ["/home/bentoml/bento/env/docker/entrypoint.sh"]
