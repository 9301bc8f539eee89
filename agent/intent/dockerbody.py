"""
The JSON of an API call to docker or podman: what a container or a volume is asked to be.

Source: the Engine API's ``ContainerCreate`` and ``VolumeCreate``; podman's specgen.SpecGenerator. Go reads
keys in any case, so does this.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from agent.intent.mounts import Around, Mount, normalise_path, parse_volume, read_volume_options
from agent.intent.powers import Members, name_mounts, parse_capabilities, read_security

_NAMESPACES = {
    "pidmode": "pid",
    "ipcmode": "ipc",
    "utsmode": "uts",
    "usernsmode": "user",
    "cgroupnsmode": "cgroup",
    "networkmode": "net",
}
_SPEC_NAMESPACES = {
    "pidns": "pid",
    "ipcns": "ipc",
    "utsns": "uts",
    "userns": "user",
    "cgroupns": "cgroup",
    "netns": "net",
}
_DEPTH_MAX = 32


def decode_body(text: str) -> dict[str, Any] | None:
    """
    Read a JSON object with its keys in lower case.

    Returns:
        None for text that is no JSON object, or one nested deeper than any real request.
    """
    try:
        body = _lower(msgspec.json.decode(text), 0)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    return body if isinstance(body, dict) else None


def _lower(value: Any, depth: int) -> Any:
    if depth > _DEPTH_MAX:
        raise ValueError
    if isinstance(value, dict):
        return {key.lower(): _lower(item, depth + 1) for key, item in value.items()}
    return [_lower(item, depth + 1) for item in value] if isinstance(value, list) else value


def read_container_body(body: dict[str, Any], around: Around) -> Members:
    """Read the body of a container's creation, of docker's form or of podman's own."""
    host = _object(body.get("hostconfig")) or body
    hosts = {kind for key, kind in _NAMESPACES.items() if host.get(key) == "host"}
    hosts |= {kind for key, kind in _SPEC_NAMESPACES.items() if _object(body.get(key)).get("nsmode") == "host"}
    # Old clients put Binds at the top; the daemon refuses it there, but the wish is the same.
    binds = [*_texts(host.get("binds")), *(_texts(body.get("binds")) if host is not body else ())]
    mounts = [parse_volume(bind, around) for bind in binds]
    mounts += [*_read_mounts(host, around), *_read_devices(host, around)]
    unconfined, profiles = read_security(_texts(host.get("securityopt")))
    unmasked = [key for key in ("maskedpaths", "readonlypaths") if host.get(key) == []]
    capabilities = [*_texts(host.get("capadd")), *_texts(body.get("cap_add"))]
    entrypoint = [*_texts(body.get("entrypoint"))]
    facts = [f"device-cgroup-rule:{rule[:64]}" for rule in _texts(host.get("devicecgrouprules"))]
    facts += [f"volumes-from:{name[:256]}" for name in _texts(host.get("volumesfrom"))]
    facts += [f"runtime:{name[:256]}" for name in _texts(host.get("runtime")) if name]
    return {
        "privileged": host.get("privileged") is True or body.get("privileged") is True,
        "host_namespaces": tuple(sorted(hosts)),
        "capabilities": parse_capabilities(capabilities),
        "unconfined": tuple(sorted({*unconfined, *(("masked-paths",) if unmasked else ())})),
        "image": next(_texts(body.get("image")), None),
        "user": next(_texts(body.get("user")), None),
        "interactive": body.get("tty") is True or body.get("openstdin") is True,
        "command": (*entrypoint, *_texts(body.get("cmd")), *_texts(body.get("command"))),
        "facts": (*facts, *profiles),
        **name_mounts(mounts),
    }


def read_exec_body(body: dict[str, Any]) -> Members:
    """Read the body of an exec's creation."""
    return {
        "privileged": body.get("privileged") is True,
        "user": next(_texts(body.get("user")), None),
        "interactive": body.get("tty") is True or body.get("attachstdin") is True,
        "command": tuple(_texts(body.get("cmd"))),
    }


def read_volume_body(body: dict[str, Any], around: Around) -> Members:
    """Read the body of a volume's creation."""
    options = _object(body.get("driveropts")) or _object(body.get("options"))
    pairs = [f"{key}={value}" for key, value in options.items() if isinstance(value, str)]
    return {"target": next(_texts(body.get("name")), None), **name_mounts(read_volume_options(pairs, around))}


def _read_mounts(host: dict[str, Any], around: Around) -> Iterator[Mount]:
    for mount in _objects(host.get("mounts")):
        source = next(_texts(mount.get("source")), "")
        options = list(_texts(mount.get("options")))
        writable = mount.get("readonly") is not True and not {"ro", "rro"} & set(options)
        driver = _object(_object(_object(mount.get("volumeoptions")).get("driverconfig")).get("options"))
        pairs = [f"{key}={value}" for key, value in driver.items() if isinstance(value, str)]
        yield from read_volume_options(pairs, around, writable=writable)
        if source.startswith(("/", ".")):
            yield Mount(normalise_path(source, around), writable)


def _read_devices(host: dict[str, Any], around: Around) -> Iterator[Mount]:
    for device in _objects(host.get("devices")):
        path = next(_texts(device.get("pathonhost") or device.get("path")), "")
        if path.startswith(("/", ".")):
            yield Mount(normalise_path(path, around), device=True)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> Iterator[str]:
    # The API takes one string in the place of a list for commands.
    items = value if isinstance(value, list) else [value]
    return (item for item in items if isinstance(item, str))
