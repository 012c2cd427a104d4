"""The words of options that engines share: which are switches, which may be repeated, and what each is to an image."""

from __future__ import annotations

# on or off; everything else has a value
SWITCHES = frozenset(
    {
        "all-platforms",
        "compress",
        "disable-compression",
        "disable-content-trust",
        "force-rm",
        "http-proxy",
        "identity-label",
        "ipfs",
        "layers",
        "load",
        "logsplit",
        "no-cache",
        "no-hosts",
        "omit-history",
        "pull",
        "push",
        "quiet",
        "rm",
        "skip-unused-stages",
        "squash",
        "squash-all",
        "stdin",
        "tls-verify",
    }
)

# only how a build is shown or helped along, or where it says what it made: not in the image's key
UNKEYED = frozenset(
    {
        "cache-from",
        "cache-ttl",
        "force-rm",
        "iidfile",
        "import-cache",
        "jobs",
        "logfile",
        "logsplit",
        "metadata-file",
        "no-cache",
        "no-cache-filter",
        "progress",
        "pull",
        "quiet",
        "retry",
        "retry-delay",
        "rm",
        "trace",
    }
)

# a value of these is nobody's business: the key has a name, and the lead's digest of the value
SECRET = frozenset({"secret", "build-arg", "ssh", "creds", "decryption-key"})

# these ask for work even if the same was done before, or name what only the engine can look into
FORCING = (
    *("no-cache", "no-cache-filter", "pull", "push", "output", "cache-to", "export-cache", "metadata-file"),
    *("build-context", "from", "hooks-dir", "ignorefile", "local", "oci-layout", "volume"),
)

PROGRESS = ("auto", "plain", "quiet", "rawjson", "tty")  # of BuildKit

# Python keywords that take a mapping: each item an option of its own, joined by …; others become one `k=v,k=v`
PAIRS = {
    "add-host": ":",
    "annotation": "=",
    "build-arg": "=",
    "build-context": "=",
    "creds": ":",
    "decryption-key": ":",
    "env": "=",
    "label": "=",
    "local": "=",
    "opt": "=",
    "runtime-flag": "=",
}
# Python keywords whose tuple is one value
JOINED = frozenset({"volume", "userns-gid-map", "userns-uid-map"})

# What BuildKit's command lines have in common (docker build, docker buildx build).
BUILDKIT = frozenset(
    {
        "add-host",
        "allow",
        "annotation",
        "attest",
        "build-arg",
        "build-context",
        "builder",
        "cache-from",
        "cache-to",
        "cgroup-parent",
        "iidfile",
        "label",
        "load",
        "metadata-file",
        "network",
        "no-cache",
        "no-cache-filter",
        "output",
        "platform",
        "progress",
        "provenance",
        "pull",
        "push",
        "quiet",
        "sbom",
        "secret",
        "shm-size",
        "ssh",
        "target",
        "ulimit",
    }
)

# docker build without BuildKit
CLASSIC = frozenset(
    {
        "add-host",
        "build-arg",
        "cache-from",
        "cgroup-parent",
        "compress",
        "cpu-period",
        "cpu-quota",
        "cpu-shares",
        "cpuset-cpus",
        "cpuset-mems",
        "disable-content-trust",
        "force-rm",
        "iidfile",
        "isolation",
        "label",
        "memory",
        "memory-swap",
        "network",
        "no-cache",
        "platform",
        "pull",
        "quiet",
        "rm",
        "security-opt",
        "shm-size",
        "squash",
        "target",
        "ulimit",
    }
)

# buildah build, which podman build is made of
BUILDAH = frozenset(
    {
        "add-host",
        "all-platforms",
        "annotation",
        "arch",
        "authfile",
        "build-arg",
        "build-context",
        "cache-from",
        "cache-to",
        "cache-ttl",
        "cap-add",
        "cap-drop",
        "cert-dir",
        "cgroup-parent",
        "cgroupns",
        "cpp-flag",
        "cpu-period",
        "cpu-quota",
        "cpu-shares",
        "cpuset-cpus",
        "cpuset-mems",
        "creds",
        "decryption-key",
        "device",
        "disable-compression",
        "dns",
        "dns-option",
        "dns-search",
        "env",
        "force-rm",
        "format",
        "from",
        "hooks-dir",
        "http-proxy",
        "identity-label",
        "ignorefile",
        "iidfile",
        "ipc",
        "isolation",
        "jobs",
        "label",
        "layers",
        "logfile",
        "manifest",
        "memory",
        "memory-swap",
        "network",
        "no-cache",
        "no-hosts",
        "omit-history",
        "os",
        "os-feature",
        "os-version",
        "output",
        "pid",
        "platform",
        "pull",
        "quiet",
        "retry",
        "retry-delay",
        "rm",
        "runtime",
        "runtime-flag",
        "secret",
        "security-opt",
        "shm-size",
        "sign-by",
        "skip-unused-stages",
        "squash",
        "ssh",
        "stdin",
        "target",
        "timestamp",
        "tls-verify",
        "ulimit",
        "unsetenv",
        "userns",
        "userns-gid-map",
        "userns-gid-map-group",
        "userns-uid-map",
        "userns-uid-map-user",
        "uts",
        "variant",
        "volume",
    }
)
