"""
What a request asks for that a general client makes to a daemon's API: curl, wget, socat, netcat, grpcurl.

Docker's Engine API and podman's beside it over a socket or TCP, the kubelet's API, the Kubernetes API.
"""

import re
from collections.abc import Callable, Sequence

import msgspec

from agent.intent.bodies import read_body
from agent.intent.documents import DocumentError, parse_documents
from agent.intent.endpoint import is_runtime_socket, name_endpoint
from agent.intent.grammar import Grammar, Parsed, every, is_on, last, parse_options
from agent.intent.kinds import read_resources
from agent.intent.model import FileReference, Intent, merge_intents
from agent.intent.mounts import Around, normalise_path
from agent.intent.powers import Members
from agent.intent.tables.clients import CURL, GRPCURL, NC, WGET

_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?P<host>[^/?#]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?", re.IGNORECASE)
_VERSION = re.compile(r"/v[0-9]+(?:\.[0-9]+)*(?:/libpod)?(?=/)|/libpod(?=/)")
_DOCKER_PORTS = frozenset(("2375", "2376", "4243"))
_KUBELET_PORTS = frozenset(("10250", "10255"))
_ENGINE_OF_SOCKET = (("podman", "podman"), ("containerd", "containerd"), ("crio", "crio"), ("buildkit", "buildkitd"))
# Method, path and the verb of the engine's own CLI; {} is the container, image or other thing.
_ENGINE_CALLS = tuple(
    (method, re.compile(pattern.replace("{}", "(?P<target>.+?)") + r"/?\Z"), verb)
    for method, pattern, verb in (
        ("POST", "/containers/create", "create"),
        ("POST", "/containers/{}/exec", "exec"),
        ("POST", "/exec/{}/start", "exec"),
        ("POST", "/containers/{}/(?P<verb>start|stop|kill|restart|pause|unpause|update|rename|attach|wait)", ""),
        ("DELETE", "/containers/{}", "rm"),
        ("GET", "/containers/json", "ps"),
        ("GET", "/containers/{}/json", "inspect"),
        ("GET", "/containers/{}/(?P<verb>logs|top|stats|export|attach)(?:/ws)?", ""),
        ("GET", "/containers/{}/archive", "cp"),
        ("PUT", "/containers/{}/archive", "cp"),
        ("GET", "/images/json", "images"),
        ("POST", "/images/create", "pull"),
        ("POST", "/images/load", "load"),
        ("POST", "/images/{}/push", "push"),
        ("DELETE", "/images/{}", "rmi"),
        ("POST", "/build", "build"),
        ("POST", "/commit", "commit"),
        ("POST", "/volumes/create", "volume create"),
        ("POST", "/plugins/pull", "plugin install"),
        ("POST", "/services/create", "service create"),
        ("POST", "/swarm/(?P<verb>init|join|leave|update)", "swarm"),
        ("GET", "/(?P<verb>info|version|events|_ping)", ""),
        ("GET", "/(?P<verb>volumes|networks|services|secrets|nodes|tasks|plugins)(?:/.*)?", "ls"),
    )
)
_CONTROL = frozenset(
    ("containers", "exec", "images", "volumes", "plugins", "services", "swarm", "build", "commit", "info")
)
_MANIFEST_METHODS = {"POST": "create", "PUT": "replace", "PATCH": "patch", "DELETE": "delete", "GET": "get"}
_API_PATH = re.compile(
    r"/apis?/(?:[^/]+/)?v[0-9][a-z0-9]*(?:/namespaces/(?P<namespace>[^/]+))?(?:/(?P<kind>[a-z]+)(?:/(?P<name>[^/]+))?"
    r"(?:/(?P<part>exec|attach|portforward|proxy|ephemeralcontainers|token|log))?)?"
)
_SOCAT_SOCKET = re.compile(
    r"(?:UNIX|UNIX-CONNECT|UNIX-CLIENT|UNIX-SENDTO|GOPEN|OPEN|LOCAL|ABSTRACT-CONNECT|ABSTRACT-CLIENT|ABSTRACT):([^,!]+)",
    re.IGNORECASE,
)
_SOCAT_LISTEN = re.compile(r"(?:TCP[46]?|OPENSSL|SSL|VSOCK)-L(?:ISTEN)?:([^,!]+)", re.IGNORECASE)

_SOCAT_CONNECT = re.compile(r"(?:TCP[46]?|OPENSSL|SSL|VSOCK|SOCKS[45]A?|PROXY)(?:-CONNECT)?:([^,!]+)", re.IGNORECASE)
_SOCAT_PROGRAM = re.compile(r"(?:EXEC|SYSTEM|SHELL):", re.IGNORECASE)

# Nothing else is unescaped: the kernel's filter (agent/detect/intent_bytes.py) looks for the name as it is.
_ESCAPED_SLASH = re.compile("%2f", re.IGNORECASE)
_SOCKET_IN_TEXT = re.compile(r"/[\w./-]+\.sock\b")
_DOCKER_LIBRARY = re.compile(r"\bdocker\.(?:from_env|DockerClient|APIClient)\(")

API_CLIENTS = ("curl", "wget", "socat", "nc", "grpcurl")


class _Request(msgspec.Struct, frozen=True):
    method: str
    host: str
    path: str
    socket: str | None
    body: str | None
    body_file: str | None
    facts: tuple[str, ...] = ()


def read_api(tool: str, argv: Sequence[str], around: Around) -> Intent | None:
    """
    Read a general client's command line; ``argv[0]`` is the client itself.

    Returns:
        None for one that names neither a runtime's socket nor an API that is known by its port or path.
    """
    return _CLIENTS[tool](argv, around)


def _read_curl(argv: Sequence[str], around: Around) -> Intent | None:
    parsed = parse_options(Grammar.GETOPT, CURL, argv, 1, stops=False)
    data = every(parsed, "data", "data-raw", "data-binary", "data-ascii", "json")
    upload = last(parsed, "upload-file")
    method = last(parsed, "request") or (
        "GET" if is_on(parsed, "get") else "POST" if data else "PUT" if upload else "GET"
    )
    socket = last(parsed, "unix-socket")
    abstract = last(parsed, "abstract-unix-socket")
    found = next((text for text in data if not text.startswith("@") or "data-raw" in parsed.values), None)
    file = next((text[1:] for text in data if text.startswith("@")), upload)
    insecure = ("insecure-tls",) if is_on(parsed, "insecure") else ()
    headers = [header.lower() for header in every(parsed, "header")]
    token = ("token",) if any(header.startswith("authorization: bearer") for header in headers) else ()
    return _read_urls(
        (*every(parsed, "url"), *parsed.words),
        _Request(
            method.upper(),
            "",
            "",
            name_endpoint(f"unix://{socket}", around) if socket else (f"@{abstract}" if abstract else None),
            found if found is not None and (not found.startswith("@") or file is None) else None,
            file if found is None else None,
            (*insecure, *token, *(("upload",) if data or upload else ())),
        ),
        around,
    )


def _read_wget(argv: Sequence[str], around: Around) -> Intent | None:
    parsed = parse_options(Grammar.GETOPT, WGET, argv, 1, stops=False)
    data = last(parsed, "post-data", "body-data")
    file = last(parsed, "post-file", "body-file")
    method = last(parsed, "method") or ("POST" if data is not None or file is not None else "GET")
    facts = ("upload",) if data is not None or file is not None else ()
    return _read_urls(parsed.words, _Request(method.upper(), "", "", None, data, file, facts), around)


def _read_urls(urls: Sequence[str], blank: _Request, around: Around) -> Intent | None:
    for url in urls[:8]:
        match = _URL.match(url[:8192])
        if match is None:
            continue
        request = msgspec.structs.replace(blank, host=match["host"] or "", path=match["path"] or "/")
        intent = _read_request(request, around)
        if intent is not None:
            return intent
    if not urls and blank.socket is not None and is_runtime_socket(blank.socket):
        return _name_engine(blank, {})
    return None


def _read_request(request: _Request, around: Around) -> Intent | None:
    if request.socket is not None:
        return _read_engine_call(request, around) if is_runtime_socket(request.socket) else None
    port = request.host.rpartition(":")[2]
    path = _VERSION.sub("", request.path, count=1)
    if port in _KUBELET_PORTS:
        return _read_kubelet(request)
    if port in _DOCKER_PORTS or (path != request.path and path.split("/")[1] in _CONTROL):
        return _read_engine_call(request, around)
    if request.path.startswith(("/api/v1", "/apis/")):
        return _read_cluster(request, around)
    return None


def _read_engine_call(request: _Request, around: Around) -> Intent:
    path = _VERSION.sub("", request.path, count=1)
    members: Members = {}
    for method, pattern, verb in _ENGINE_CALLS:
        match = (
            pattern.match(path) if method == request.method or (method == "GET" and request.method == "HEAD") else None
        )
        if match is None:
            continue
        found = match.groupdict()
        members = {"verb": " ".join(filter(None, (verb, found.get("verb")))), "target": found.get("target")}
        break
    if members.get("verb") not in _WITH_BODY:
        return _name_engine(request, members)
    if request.body_file is not None:
        file = request.body_file if request.body_file == "-" else normalise_path(request.body_file, around)
        members["files"] = (FileReference("json-body", file),)
    intent = _name_engine(request, members)
    return intent if request.body is None else _read_inline(intent, request.body, around)


_WITH_BODY = frozenset(("create", "service create", "exec", "volume create"))


def _read_inline(intent: Intent, body: str, around: Around) -> Intent:
    try:
        documents = parse_documents(body.encode(errors="replace"))
    except DocumentError:
        return intent  # the daemon would refuse it as well
    return merge_intents(intent, read_body(documents, around))


def _name_engine(request: _Request, members: Members) -> Intent:
    socket = request.socket or ""
    tool = next((tool for part, tool in _ENGINE_OF_SOCKET if part in socket), "docker")
    endpoint = request.socket or f"tcp://{request.host}"
    facts = tuple(dict.fromkeys((*members.pop("facts", ()), *request.facts)))
    return Intent(tool=tool, source="api", endpoint=endpoint, facts=facts, **members)


def _read_kubelet(request: _Request) -> Intent:
    parts = request.path.strip("/").split("/")
    verb = {"run": "exec", "cri": "exec"}.get(parts[0], parts[0][:64] or None)
    body = request.body or ""
    command = (body.removeprefix("cmd="),) if body and parts[0] in {"run", "exec"} else ()
    return Intent(
        tool="kubelet",
        verb=verb,
        source="api",
        endpoint=f"https://{request.host}",
        namespace=parts[1] if len(parts) > 2 else None,
        target=parts[2] if len(parts) > 2 else None,
        command=command,
        facts=request.facts,
    )


def _read_cluster(request: _Request, around: Around) -> Intent | None:
    match = _API_PATH.match(request.path)
    if match is None:
        return None
    part, kind = match["part"], match["kind"]
    verb = {"ephemeralcontainers": "debug", "token": "create token", "log": "logs"}.get(part or "", part)
    files: tuple[FileReference, ...] = ()
    if request.method in {"POST", "PUT", "PATCH"}:
        if request.body is not None:
            files = (FileReference("manifest", None, request.body),)
        elif request.body_file is not None:
            path = request.body_file
            files = (FileReference("manifest", path if path == "-" else normalise_path(path, around)),)
    return Intent(
        tool="kubernetes",
        verb=verb or _MANIFEST_METHODS.get(request.method, request.method.lower()[:16]),
        source="api",
        endpoint=f"https://{request.host}",
        namespace=match["namespace"],
        resources=read_resources([kind]) if kind else (),
        target=match["name"],
        files=files,
        facts=request.facts,
    )


def _read_socat(argv: Sequence[str], around: Around) -> Intent | None:
    words = [word[:4096] for word in argv[1:64]]
    sockets = [name_endpoint(f"unix://{match[1]}", around) for word in words for match in _SOCAT_SOCKET.finditer(word)]
    sockets += [path for word in words if _SOCAT_PROGRAM.match(word) for path in _find_sockets(word, around)]
    socket = next((path for path in sockets if is_runtime_socket(path)), None)
    if socket is None:
        return None
    facts = [f"listen:{_name_listener(match[1])}" for word in words for match in _SOCAT_LISTEN.finditer(word)]
    facts += [f"relay:tcp://{match[1]}" for word in words for match in _SOCAT_CONNECT.finditer(word)]
    return _name_engine(_Request("", "", "", socket, None, None, tuple(facts)), {})


def _name_listener(address: str) -> str:
    return f"tcp://{address}" if ":" in address else f"tcp://:{address}"


def read_program(text: str, around: Around) -> Intent | None:
    """Read a program's text, as of ``python3 -c``, for the runtime socket or the client library that it names."""
    socket = next(iter(_find_sockets(_ESCAPED_SLASH.sub("/", text[:65536]), around)), None)
    if socket is not None:
        return _name_engine(_Request("", "", "", socket, None, None), {})
    return Intent(tool="docker", source="api") if _DOCKER_LIBRARY.search(text[:65536]) else None


def _find_sockets(text: str, around: Around) -> list[str]:
    paths = (name_endpoint(f"unix://{match[0]}", around) for match in _SOCKET_IN_TEXT.finditer(text))
    return [path for path in paths if is_runtime_socket(path)]


def _read_nc(argv: Sequence[str], around: Around) -> Intent | None:
    parsed = parse_options(Grammar.GETOPT, NC, argv, 1, stops=False)
    if "unixsock" in parsed.values:
        return _name_socket(parsed.words, around)
    # Started for each caller: with the listener it is a relay.
    programs = every(parsed, "sh-exec", "exec")
    socket = next((path for text in programs for path in _find_sockets(text[:4096], around)), None)
    if socket is None:
        return None
    port = last(parsed, "p") or (parsed.words[-1] if parsed.words else "")
    facts = (f"listen:{_name_listener(port[:256])}",) if is_on(parsed, "listen", "l") else ()
    return _name_engine(_Request("", "", "", socket, None, None, facts), {})


def _read_grpcurl(argv: Sequence[str], around: Around) -> Intent | None:
    parsed: Parsed = parse_options(Grammar.GO_FLAG, GRPCURL, argv, 1)
    intent = _name_socket(parsed.words[:1], around)
    call = next((word for word in parsed.words[1:]), None)
    return intent and msgspec.structs.replace(intent, verb=None if call is None else f"grpc {call[:128]}")


def _name_socket(words: Sequence[str], around: Around) -> Intent | None:
    for word in words[:8]:
        path = name_endpoint(word if word.startswith("unix:") else f"unix://{word}", around)
        if is_runtime_socket(path):
            return _name_engine(_Request("", "", "", path, None, None), {})
    return None


_CLIENTS: dict[str, Callable[[Sequence[str], Around], Intent | None]] = {
    "curl": _read_curl,
    "wget": _read_wget,
    "socat": _read_socat,
    "nc": _read_nc,
    "grpcurl": _read_grpcurl,
}
