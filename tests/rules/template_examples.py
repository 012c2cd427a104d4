"""The templates of BentoML's guide "Advanced Containerization", written out: name → (template, options).

What the guide's page has lost (names of files, of blocks, of links) is as in its source.
"""

from __future__ import annotations

from typing import Any

_ECHO = """\
{% extends bento_base_template %}
{% block SETUP_BENTO_COMPONENTS %}
{{ super() }}
RUN echo "We are running this during bentoml containerize!"
{% endblock %}
"""

_TENSORFLOW = """\
{% extends bento_base_template %}
{% block SETUP_BENTO_BASE_IMAGE %}

{{ super() }}

WORKDIR /tmp

COPY ./src/tfops/zero_out.cc .

RUN pip3 install tensorflow
RUN set -ex && \\
\tTF_CFLAGS=( $(python3 -c 'import tensorflow as tf; print(" ".join(tf.sysconfig.get_compile_flags()))') ) && \\
\tTF_LFLAGS=( $(python3 -c 'import tensorflow as tf; print(" ".join(tf.sysconfig.get_link_flags()))') ) && \\
\tg++ --std=c++14 -shared zero_out.cc -o zero_out.so -fPIC ${TF_CFLAGS[@]} ${TF_LFLAGS[@]} \
-I$(python -c 'import tensorflow as tf; print(tf.sysconfig.get_include());') -D_GLIBCXX_USE_CXX11_ABI=0 -O2

{% endblock %}
{% block SETUP_BENTO_COMPONENTS %}
{{ super() }}
RUN stat /usr/lib/zero_out.so
{% endblock %}
"""

_AWS_VARIABLES = """\
{% extends bento_base_template %}
{% block SETUP_BENTO_BASE_IMAGE %}
ARG AWS_SECRET_ACCESS_KEY
ARG AWS_ACCESS_KEY_ID
{{ super() }}

ARG AWS_SECRET_ACCESS_KEY
ARG AWS_ACCESS_KEY_ID

ENV AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY
ENV AWS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID
{% endblock %}
{% block SETUP_BENTO_COMPONENTS %}
{{ super() }}

RUN aws s3 cp s3://path/to/file {{ bento__path }}

{% endblock %}
"""

_AWS_SECRET = """\
{% extends bento_base_template %}
{% block SETUP_BENTO_COMPONENTS %}
{{ super() }}

RUN --mount=type=secret,id=aws,target=/root/.aws/credentials \\
     aws s3 cp s3://path/to/file {{ bento__path }}

{% endblock %}
"""

_MULTI_STAGE = """\
{% extends bento_base_template %}
{% block SETUP_BENTO_BASE_IMAGE %}
FROM --platform=$BUILDPLATFORM python:3.7-slim as buildstage
RUN mkdir /tmp/mypackage

WORKDIR /tmp/mypackage/
COPY mypackage .
RUN python setup.py sdist && mv dist/mypackage-0.0.1.tar.gz mypackage.tar.gz

{{ super() }}
{% endblock %}
{% block SETUP_BENTO_COMPONENTS %}
{{ super() }}
COPY --from=buildstage mypackage.tar.gz /tmp/wheels/
RUN --network=none pip install --find-links /tmp/wheels mypackage
{% endblock %}
"""

_ENTRYPOINT = """\
{% extends bento_base_template %}
{% block SETUP_BENTO_ENTRYPOINT %}
{{ super() }}

ENTRYPOINT [ "{{ bento__entrypoint }}", "python", "-m", "awslambdaric" ]
{% endblock %}
"""

_CUDA_CONDA = """\
{% import '_macros.j2' as common %}
{% extends bento_base_template %}
{# Make sure to change the correct python_version and conda version accordingly. #}
{# example: py38_4.10.3 #}
{# refers to https://repo.anaconda.com/miniconda/ for miniconda3 base #}
{% set conda_version="py39_4.11.0" %}
{% set conda_path="/opt/conda" %}
{% set conda_exec=[conda_path, "bin", "conda"] | join("/") %}
{% block SETUP_BENTO_BASE_IMAGE %}
FROM debian:bullseye-slim as conda-build

RUN --mount=type=cache,from=cached,sharing=shared,target=/var/cache/apt \\
\t--mount=type=cache,from=cached,sharing=shared,target=/var/lib/apt \\
\tapt-get update -y && \\
\tapt-get install -y --no-install-recommends --allow-remove-essential \\
\tsoftware-properties-common \\
\tbzip2 \\
\tca-certificates \\
\tgit \\
\tlibglib2.0-0 \\
\tlibsm6 \\
\tlibxext6 \\
\tlibxrender1 \\
\tmercurial \\
\topenssh-client \\
\tprocps \\
\tsubversion \\
\twget && \\
\tapt-get clean

ENV PATH {{ conda_path }}/bin:$PATH

ARG CONDA_VERSION={{ conda_version }}

RUN set -ex && \\
\tUNAME_M=$(uname -m) && \\
\tif [ "${UNAME_M}" = "x86_64" ]; then \\
\tMINICONDA_URL="https://repo.anaconda.com/miniconda/Miniconda3-${CONDA_VERSION}-Linux-x86_64.sh"; \\
\tSHA256SUM="4ee9c3aa53329cd7a63b49877c0babb49b19b7e5af29807b793a76bdb1d362b4"; \\
\telif [ "${UNAME_M}" = "s390x" ]; then \\
\tMINICONDA_URL="https://repo.anaconda.com/miniconda/Miniconda3-${CONDA_VERSION}-Linux-s390x.sh"; \\
\tSHA256SUM="e5e5e89cdcef9332fe632cd25d318cf71f681eef029a24495c713b18e66a8018"; \\
\telif [ "${UNAME_M}" = "aarch64" ]; then \\
\tMINICONDA_URL="https://repo.anaconda.com/miniconda/Miniconda3-${CONDA_VERSION}-Linux-aarch64.sh"; \\
\tSHA256SUM="00c7127a8a8d3f4b9c2ab3391c661239d5b9a88eafe895fd0f3f2a8d9c0f4556"; \\
\telif [ "${UNAME_M}" = "ppc64le" ]; then \\
\tMINICONDA_URL="https://repo.anaconda.com/miniconda/Miniconda3-${CONDA_VERSION}-Linux-ppc64le.sh"; \\
\tSHA256SUM="8ee1f8d17ef7c8cb08a85f7d858b1cb55866c06fcf7545b98c3b82e4d0277e66"; \\
\tfi && \\
\twget "${MINICONDA_URL}" -O miniconda.sh -q && echo "${SHA256SUM} miniconda.sh" > shasum && \\
\tif [ "${CONDA_VERSION}" != "latest" ]; then \\
\tsha256sum --check --status shasum; \\
\tfi && \\
\tmkdir -p /opt && \\
\tsh miniconda.sh -b -p {{ conda_path }} && rm miniconda.sh shasum && \\
\tfind {{ conda_path }}/ -follow -type f -name '*.a' -delete && \\
\tfind {{ conda_path }}/ -follow -type f -name '*.js.map' -delete && \\
\t{{ conda_exec }} clean -afy

{{ super() }}

ENV PATH {{ conda_path }}/bin:$PATH

COPY --from=conda-build {{ conda_path }} {{ conda_path }}

RUN set -ex && \\
\tln -s {{ conda_path }}/etc/profile.d/conda.sh /etc/profile.d/conda.sh && \\
\techo ". {{ conda_path }}/etc/profile.d/conda.sh" >> ~/.bashrc && \\
\techo "{{ conda_exec }} activate base" >> ~/.bashrc

{% endblock %}
{% block SETUP_BENTO_ENVARS %}

SHELL [ "/bin/bash", "-eo", "pipefail", "-c" ]
{{ super() }}
{{ common.setup_conda(__python_version__, bento__path, conda_path=conda_path) }}
{% endblock %}
"""

EXAMPLES: dict[str, tuple[str, dict[str, Any]]] = {
    "echo": (_ECHO, {}),
    "tensorflow": (_TENSORFLOW, {"docker__system_packages": ["build-essential"]}),
    "aws-variables": (_AWS_VARIABLES, {}),
    "aws-secret": (_AWS_SECRET, {}),
    "multi-stage": (_MULTI_STAGE, {}),
    "entrypoint": (_ENTRYPOINT, {}),
    "cuda-conda": (
        _CUDA_CONDA,
        {"docker__cuda_version": "11.6.2", "conda__dependencies": ["numpy"], "generation": "runner"},
    ),
}
