#!/bin/sh
# Installs the wheels beside it into the Python at hand. Its end says whether that was all that the Bento asks for.
here=$(cd "$(dirname "$0")" && pwd)

if [ -x "$here/bin/uv" ]; then # much faster than pip, which compiles each package anew
    "$here/bin/uv" pip install --quiet --no-config --no-cache --no-progress --no-python-downloads \
        --python "$(command -v python3)" --break-system-packages --no-index --no-deps \
        --find-links "$here" -r "$here/requirements.txt" \
        && { python3 "$here/bytecode.py" /root/.cache/bentomake || echo "wheelhouse: there is no bytecode" >&2; }
else
    PIP_NO_INDEX=1 python3 -m pip install --quiet --no-deps --find-links "$here" -r "$here/requirements.txt"
fi || {
    echo "wheelhouse: these wheels do not suit the image; pip fetches others" >&2
    exit 1
}
[ -f "$here/complete" ]
