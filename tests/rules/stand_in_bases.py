"""Stand-ins for base images that no registry gives here: made from python:3.11-slim, under the names of the real ones.

What they are made of is Debian; what a Dockerfile meets is as in the real image, where that is known: the user, HOME
and PATH, which shell /bin/sh is, which programs and which Pythons are there, and what the package manager takes. What
the real one would refuse, these refuse too. On the whole they have less than the real ones.

- alpine: busybox alone (Debian's, so without `adduser` and `addgroup`, which are scripts with busybox's options).
- amazonlinux, ubi8, cuda with ubi8: /bin/sh is bash; no find, tar, which; a Python or `useradd` once it is installed.
- ubi8/python-311: an unprivileged user, and a HOME that is not of whoever runs.
- cuda with Ubuntu: Debian without a Python, with its real apt-get; bookworm's Python is 3.11, Ubuntu's is another.
- bullseye, for the guide's template: its apt-get brings a wget that has one file, a stand-in for Miniconda's installer.
- miniconda: a conda that makes venvs, and that refuses Anaconda's channels as the real one's plugin does.

apk, dnf, yum, amazon-linux-extras and conda are scripts: they take the words that Dockerfiles of bentomake have for
them and a few names of packages, and let appear what those bring.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from engines import Docker

_LABEL = "bentomake.stand-in"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NO_PYTHON = "bentomake-stand-in-without-python:1"  # as a user's own base image

BULLSEYE = "software-properties-common bzip2 ca-certificates git libglib2.0-0 libsm6 libxext6 libxrender1 mercurial "
BULLSEYE += "openssh-client procps subversion"

# The target of the Dockerfile below → names that Dockerfiles of bentomake have for that image.
TARGETS: dict[str, list[str]] = {
    "alpine": ["python:3.11-alpine"],
    "alpine-conda": ["continuumio/miniconda3:4.10.3p0-alpine"],
    "amazonlinux": ["amazonlinux:2023"],
    "amazonlinux-2": ["amazonlinux:2"],
    "ubi8": ["registry.access.redhat.com/ubi8/python-311:1"],
    "ubi8-cuda": ["nvidia/cuda:12.8.1-cudnn-runtime-ubi8", "nvidia/cuda:12.1.1-cudnn8-runtime-ubi8"],
    "debian-cuda": ["nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04", "nvidia/cuda:12.1.1-cudnn8-runtime-ubuntu22.04"],
    "debian-conda": ["continuumio/miniconda3:latest"],
    "no-python": [NO_PYTHON],
    "bullseye": ["debian:bullseye-slim"],
}

_DOCKERFILE = f"""
FROM python:3.11-slim AS ground
LABEL {_LABEL}=true
RUN apt-get update && apt-get install -y --no-install-recommends busybox-static && rm -rf /var/lib/apt/lists/*
# A package index of this machine's own may have a certificate of its own, which an upgrade would drop
RUN mkdir -p /usr/local/share/ca-certificates \\
 && cp /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates/of-this-machine.crt
COPY --chmod=755 . /stand-in/

# Debian without a Python; the library libpython stays, since it is no program
FROM ground AS bare
RUN rm -rf /usr/local/bin/* /usr/local/lib/python3.11

# Somebody's own base image; cp stands for the package manager that a setup script would call
FROM bare AS no-python
COPY --from=ground /usr/local/lib/python3.11 /stand-in/python/lib/python3.11
COPY --from=ground /usr/local/bin /stand-in/python/bin

FROM bare AS debian-cuda
ENV PATH=/usr/local/nvidia/bin:/usr/local/cuda/bin:{_PATH}
ENV NVIDIA_VISIBLE_DEVICES=all SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ENTRYPOINT ["/opt/nvidia/nvidia_entrypoint.sh"]

FROM bare AS conda
COPY --from=ground /usr/local/lib/python3.11 /opt/conda/lib/python3.11
COPY --from=ground /usr/local/bin/python3.11 /opt/conda/bin/
RUN ln -s python3.11 /opt/conda/bin/python3 && ln -s python3.11 /opt/conda/bin/python \\
 && /opt/conda/bin/python -m ensurepip && /opt/conda/bin/python -m pip install --no-cache-dir pyyaml \\
 && mv /stand-in/conda /opt/conda/bin/

FROM conda AS debian-conda
ENV LANG=C.UTF-8 LC_ALL=C.UTF-8 PATH=/opt/conda/bin:{_PATH}
RUN printf 'channels:\\n  - defaults\\n' >/opt/conda/.condarc && touch /opt/conda/asks-for-terms

FROM bare AS bullseye
COPY --from=conda /opt/conda /stand-in/miniconda
RUN cd /stand-in && mkdir -p miniconda/etc/profile.d packages/wget/usr/bin && mv wget packages/wget/usr/bin/ \\
 && touch miniconda/etc/profile.d/conda.sh miniconda/lib/x.a miniconda/lib/x.js.map && rm /bin/apt-get \\
 && for name in {BULLSEYE}; do mkdir -p packages/$name; done && mv apt-get /usr/bin/

FROM ground AS alpine
RUN ["/bin/busybox", "sh", "/stand-in/only-busybox"]

FROM conda AS alpine-conda
RUN ["/bin/busybox", "sh", "/stand-in/only-busybox"]
RUN apk add --no-cache bash
ENV PATH=/opt/conda/bin:{_PATH}
CMD ["/bin/bash"]

FROM bare AS rpm
COPY --from=ground /usr/local/lib/python3.11 /usr/lib/python3.11
COPY --from=ground /usr/local/bin /stand-in/programs
RUN bash /stand-in/only-rpm
ENV PATH={_PATH}

FROM rpm AS amazonlinux
RUN mv /stand-in/dnf /stand-in/python3-of-dnf /usr/bin/ && mv /usr/bin/python3-of-dnf /usr/bin/python3

FROM rpm AS amazonlinux-2
RUN mv /stand-in/dnf /usr/bin/yum && mkdir /stand-in/extras \\
 && mv /stand-in/packages/python3.11 /stand-in/extras/python38 \\
 && cp -a /stand-in/packages/python3.11-pip/. /stand-in/extras/python38/ \\
 && mkdir /stand-in/extras/python38-devel \\
 && mv /stand-in/extras/python38/usr/bin/python3.11 /stand-in/extras/python38/usr/bin/python3.8 \\
 && mv /stand-in/extras/python38/usr/bin/pip3.11 /stand-in/extras/python38/usr/bin/pip3.8 \\
 && sed -i 1s/3.11/3.8/ /stand-in/extras/python38/usr/bin/pip3.8 \\
 && rm -r /stand-in/packages/python3.11-pip \\
 && mkdir -p /stand-in/packages/amazon-linux-extras/usr/bin \\
 && mv /stand-in/amazon-linux-extras /stand-in/packages/amazon-linux-extras/usr/bin/

FROM rpm AS ubi8-cuda
RUN mv /stand-in/dnf /usr/bin/
ENV PATH=/usr/local/nvidia/bin:/usr/local/cuda/bin:{_PATH}
ENTRYPOINT ["/opt/nvidia/nvidia_entrypoint.sh"]

FROM rpm AS ubi8
RUN mv /stand-in/dnf /usr/bin/ && dnf install -y python3.11 python3.11-pip shadow-utils \\
 && mkdir -p /opt/app-root/src && python3.11 -m venv /opt/app-root \\
 && useradd -u 1001 -r -g 0 -d /opt/app-root/src -s /sbin/nologin default \\
 && chown -R 1001:0 /opt/app-root && chmod -R g+rwX /opt/app-root
ENV HOME=/opt/app-root/src LANG=en_US.UTF-8 LC_ALL=en_US.UTF-8 PIP_NO_CACHE_DIR=off
ENV PATH=/opt/app-root/src/.local/bin/:/opt/app-root/src/bin:/opt/app-root/bin:{_PATH}
ENV BASH_ENV=/opt/app-root/bin/activate ENV=/opt/app-root/bin/activate
WORKDIR /opt/app-root/src
USER 1001
ENTRYPOINT ["container-entrypoint"]
"""

_APT_GET = r"""#!/bin/sh
set -eu
case "$*" in
"update -y") [ -d /var/lib/apt ] && [ -d /var/cache/apt ] && touch /var/lib/apt/updated; exit ;;
"install -y --no-install-recommends --allow-remove-essential "*) [ -f /var/lib/apt/updated ] && shift 4 ;;
clean) exit 0 ;;
*) echo "apt-get: not as the guide says it: $*" >&2; exit 1 ;;
esac
exec /stand-in/install "$@"
"""

_WGET = r"""#!/bin/sh
set -eu
[ "$*" = "https://repo.anaconda.com/miniconda/Miniconda3-py39_4.11.0-Linux-$(uname -m).sh -O miniconda.sh -q" ]
cp /stand-in/miniconda.sh miniconda.sh
"""

MINICONDA = r"""#!/bin/sh
set -eu
[ "$*" = "-b -p /opt/conda" ] || { echo "Miniconda: not as the guide says it: $*" >&2; exit 1; }
cp -a /stand-in/miniconda /opt/conda
"""

_INSTALL = r"""#!/bin/sh
# Lets packages appear: the names of all of them are directories of /stand-in/packages, with what each brings.
set -eu
[ "$(id -u)" = 0 ] || { echo "this needs root" >&2; exit 1; }
[ "$#" -gt 0 ] || { echo "no package is named" >&2; exit 1; }
for name in "$@"; do
    case "$name" in -*) echo "unknown option: $name" >&2; exit 1 ;; esac
    [ -d "/stand-in/packages/$name" ] || { echo "unable to select packages: $name" >&2; exit 1; }
done
for name in "$@"; do cp -a "/stand-in/packages/$name/." /; done
"""

_APK = r"""#!/bin/sh
set -eu
case "$*" in
"add --no-cache "*) shift 2 ;;
"add --update-cache --cache-dir /var/cache/apk "*) [ -d /var/cache/apk ] && shift 4 ;;
*) echo "apk: not as bentomake says it: $*" >&2; exit 1 ;;
esac
exec /stand-in/install "$@"
"""

_DNF = r"""#!/bin/sh
set -eu
manager=${0##*/}
case "$*" in
"clean all") exit 0 ;;
"install -y --setopt=keepcache=1 "*) [ -d "/var/cache/$manager" ] && shift 3 ;;
"install -y "*) shift 2 ;;
*) echo "$manager: not as bentomake says it: $*" >&2; exit 1 ;;
esac
exec /stand-in/install "$@"
"""

_EXTRAS = r"""#!/bin/sh
set -eu
[ "$*" = "enable python3.8" ] || { echo "amazon-linux-extras: not as bentomake says it: $*" >&2; exit 1; }
cp -a /stand-in/extras/. /stand-in/packages/
"""

# busybox's own have the same options; both refuse a number or a name that is taken.
_ADDGROUP = r"""#!/bin/sh
set -eu
gid=
while getopts g: option; do case "$option" in g) gid=$OPTARG ;; *) exit 1 ;; esac; done
shift $((OPTIND - 1))
[ "$#" = 1 ] && [ -n "$gid" ] || { echo "addgroup: usage" >&2; exit 1; }
if grep -q -e "^$1:" -e "^[^:]*:[^:]*:$gid:" /etc/group; then echo "addgroup: $1 or $gid is in use" >&2; exit 1; fi
echo "$1:x:$gid:" >>/etc/group
"""
_ADDUSER = r"""#!/bin/sh
set -eu
uid= group= home= password=yes
while getopts Du:G:h: option; do
    case "$option" in
    D) password=no ;; u) uid=$OPTARG ;; G) group=$OPTARG ;; h) home=$OPTARG ;; *) exit 1 ;;
    esac
done
shift $((OPTIND - 1))
[ "$#" = 1 ] && [ -n "$uid" ] && [ -n "$home" ] || { echo "adduser: usage" >&2; exit 1; }
[ "$password" = no ] || { echo "adduser: this asks for a password" >&2; exit 1; }
gid=$(grep "^$group:" /etc/group | cut -d: -f3)
[ -n "$gid" ] || { echo "adduser: unknown group $group" >&2; exit 1; }
if grep -q -e "^$1:" -e "^[^:]*:[^:]*:$uid:" /etc/passwd; then echo "adduser: $1 or $uid is in use" >&2; exit 1; fi
echo "$1:x:$uid:$gid:Linux User,,,:$home:/bin/sh" >>/etc/passwd
mkdir -p "$home"
chown "$uid:$gid" "$home"
"""

_ONLY_BUSYBOX = r"""set -eu
packages=/stand-in/packages
mkdir -p $packages/bash/usr/bin /stand-in/kept
cp -a /usr/bin/bash $packages/bash/usr/bin/
cp /bin/busybox /stand-in/kept/
for name in build-base linux-headers ca-certificates; do mkdir -p $packages/$name; done
mkdir -p $packages/git/usr/bin
cp -p /stand-in/git $packages/git/usr/bin/
busybox=/stand-in/kept/busybox
$busybox rm -rf /usr/bin/* /usr/sbin/*
$busybox cp $busybox /usr/bin/busybox
/usr/bin/busybox --install -s /usr/bin
rm /usr/bin/dpkg /usr/bin/dpkg-deb /usr/bin/rpm /usr/bin/rpm2cpio
for name in apk adduser addgroup; do mv /stand-in/$name /usr/bin/; done
mkdir -p /var/cache/apk
"""

_ONLY_RPM = r"""set -eu
packages=/stand-in/packages
library=usr/lib/python3.11/site-packages
mkdir -p $packages/{ca-certificates,git/usr/bin,shadow-utils/usr/sbin}
mkdir -p $packages/{python3.11/usr/bin,python3.11-pip/{usr/bin,$library}}
mv /usr/sbin/{useradd,userdel,usermod,groupadd,groupdel,groupmod} $packages/shadow-utils/usr/sbin/
mv /stand-in/programs/python3.11 $packages/python3.11/usr/bin/
mv /$library/pip* $packages/python3.11-pip/$library/
sed '1s,.*,#!/usr/bin/python3.11,' /stand-in/programs/pip3.11 >$packages/python3.11-pip/usr/bin/pip3.11
chmod 755 $packages/python3.11-pip/usr/bin/pip3.11
cp -p /stand-in/git $packages/git/usr/bin/
rm -r /$library/* /usr/local/bin /stand-in/programs
mkdir /usr/local/bin
rm -f /usr/bin/{apt*,dpkg*,deb*,find,xargs,tar,gzip,gunzip,which*,perl*,busybox} /usr/sbin/{adduser,addgroup}
ln -sf bash /usr/bin/sh
mkdir -p /var/cache/dnf /var/cache/yum
"""

_CONDA = r"""#!/opt/conda/bin/python
# conda, as far as Dockerfiles of bentomake say something to it: an environment is a venv of this Python.
import glob, os, shutil, subprocess, sys, venv, yaml

def fail(message):
    sys.exit("conda: " + message)

def configured():
    try:
        with open("/opt/conda/.condarc") as file:
            return (yaml.safe_load(file) or {}).get("channels") or ["defaults"]
    except FileNotFoundError:
        return ["defaults"]

def accepted(channels):  # as the plugin conda-anaconda-tos: not those of the file, but those of the configuration
    if os.path.exists("/opt/conda/asks-for-terms") and "defaults" in channels:
        fail("CondaToSNonInteractiveError: Terms of Service have not been accepted for these channels: defaults")

def create(prefix, words):
    if words[:1] != ["--override-channels"]:
        accepted(configured())
        fail("create without --override-channels")
    words, channels = words[1:], []
    while words[:1] == ["-c"]:
        channels.append(words[1])
        words = words[2:]
    accepted(channels)
    if not channels or words != ["python=3.11", "pip"]:
        fail(f"packages {words} of {channels}")
    if os.path.exists(prefix):
        fail(f"{prefix} exists")
    venv.create(prefix, symlinks=True)
    for package in glob.glob("/opt/conda/lib/python3.11/site-packages/pip*"):
        shutil.copytree(package, package.replace("/opt/conda", prefix))
    os.mkdir(prefix + "/conda-meta")

def install(words):
    if words[:1] != ["--override-channels"]:
        fail("install without --override-channels")
    if words[-2:] != ["python=3.11", "pip"] or "-c" not in words:
        fail(f"packages {words}")
    os.makedirs("/opt/conda/conda-meta", exist_ok=True)

def update(prefix, words):
    accepted(configured())
    if len(words) != 2 or words[0] != "-f" or not os.path.isdir(prefix + "/conda-meta"):
        fail(f"env update {words}")
    with open(words[1]) as file:
        environment = yaml.safe_load(file)
    if "nodefaults" not in environment["channels"]:
        accepted([*environment["channels"], *configured()])
    for item in environment["dependencies"]:
        if isinstance(item, dict):
            python = prefix + "/bin/python"
            subprocess.run([python, "-m", "pip", "install", "-U", *item["pip"]], check=True)
        elif item in ("pip", "zlib"):
            open(f"{prefix}/conda-meta/{item}.json", "w").close()
        else:
            fail(f"no package {item}")

words = sys.argv[1:]
if os.getuid() != 0:
    fail("EnvironmentNotWritableError")
if words[:3] == ["create", "-y", "-p"]:
    create(words[3], words[4:])
elif words[:4] == ["install", "-y", "-n", "base"]:
    install(words[4:])
elif words[:4] == ["env", "update", "-n", "base"]:
    update("/opt/conda", words[4:])
elif words[:3] == ["env", "update", "-p"]:
    update(words[3], words[4:])
elif words != ["clean", "-afy"]:
    fail(f"not as bentomake says it: {words}")
"""

_SCRIPTS = {
    **{"install": _INSTALL, "apk": _APK, "dnf": _DNF, "amazon-linux-extras": _EXTRAS, "conda": _CONDA},
    **{"addgroup": _ADDGROUP, "adduser": _ADDUSER, "only-busybox": _ONLY_BUSYBOX, "only-rpm": _ONLY_RPM},
    "git": "#!/bin/sh\necho git version 2\n",
    **{"apt-get": _APT_GET, "wget": _WGET, "miniconda.sh": MINICONDA},
    "python3-of-dnf": "#!/bin/sh\necho 'this is Python 3.9, and dnf alone has a use for it' >&2\nexit 1\n",
}


def build(engine: Docker, directory: Path) -> list[str]:
    """The names of the stand-ins that were made: where an image has such a name already, it is left alone."""
    directory.mkdir()
    for name, text in _SCRIPTS.items():
        (directory / name).write_text(text)
    dockerfile = directory.parent / "stand-ins.Dockerfile"
    dockerfile.write_text(_DOCKERFILE)
    made = []
    for target, names in TARGETS.items():
        mine = [name for name in names if not _is_someone_elses(engine, name)]
        tags = [word for name in mine for word in ("-t", name)]
        if tags:
            engine.call("build", "--target", target, *tags, "-f", str(dockerfile), str(directory))
        made += mine
    return made


def usable(engine: Docker) -> bool:
    """Whether python:3.11-slim has its Python in /usr/local, as the official image; Debian's cannot be moved."""
    python = engine.ended("python:3.11-slim", "python3", "-c", "import sys; print(sys.prefix)")
    return python.strip() == "/usr/local"


def _is_someone_elses(engine: Docker, name: str) -> bool:
    words = ["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", name]
    done = subprocess.run(words, env=engine.env, capture_output=True, text=True)
    return done.returncode == 0 and _LABEL not in (json.loads(done.stdout) or {})
