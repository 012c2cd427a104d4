#!/bin/sh
# Starts the Bento that lies around this file. No argument, or a flag first: serve it. `serve` and `start-…` commands
# get the Bento's path. Anything else is run as it is, `bash` for one.
set -eu

if [ -z "${BENTO_PATH:-}" ]; then
    BENTO_PATH=$(cd "$(dirname "$0")/../.." && pwd)
    export BENTO_PATH
fi
if [ -d /app/.venv/bin ]; then # where images of `bentoml containerize` (1.4) install
    PATH=/app/.venv/bin:$PATH
    export PATH
fi
if [ -n "${PORT:-}" ]; then # what several platforms set
    BENTOML_PORT=$PORT
    export BENTOML_PORT
fi

if [ "$#" -eq 0 ] || [ "${1#-}" != "$1" ]; then
    case "${BENTOML_SERVE_COMPONENT:-}" in
    '') set -- serve "$@" ;;
    http_server) set -- start-http-server "$@" ;;
    grpc_server) set -- start-grpc-server "$@" ;;
    runner) set -- start-runner-server "$@" ;;
    *)
        echo "entrypoint.sh: BENTOML_SERVE_COMPONENT is '$BENTOML_SERVE_COMPONENT';" \
            "it can be http_server, grpc_server or runner" >&2
        exit 2
        ;;
    esac
fi

case "$1" in
serve | serve-http | serve-grpc)
    exec bentoml "$@" "$BENTO_PATH"
    ;;
start-http-server | start-grpc-server | start-runner-server)
    # Newer versions of bentoml keep these commands in a module, older ones among bentoml's own.
    where='import importlib.util as u; raise SystemExit(u.find_spec("bentoml_cli._internal.start") is None)'
    if python3 -c "$where" 2>/dev/null; then
        exec python3 -m bentoml_cli._internal.start "$@" "$BENTO_PATH"
    fi
    exec bentoml "$@" "$BENTO_PATH"
    ;;
*)
    exec "$@"
    ;;
esac
