"""The options of Compose, as docker-compose 1.29, Compose 2.40, nerdctl compose and podman-compose have them."""

from agent.intent.options import parse_commands

COMPOSE_GLOBAL = """
all-resources ansi= compatibility c,context= D,debug dry-run env-file= f,file= H,host= in-pod= insecure-registry
 ipfs-address= log-level= no-ansi parallel= podman-args= podman-path= profile= progress= workdir,project-directory=
 p,project-name= skip-hostname-check tls tlscacert= tlscert= tlskey= tlsverify verbose v,version
"""

COMPOSE = """
up: abort-on-container-exit abort-on-container-failure always-recreate-deps attach= attach-dependencies build d,detach
 exit-code-from= force-recreate menu no-attach= no-build no-color no-deps no-log-prefix no-recreate no-start pull=
 quiet-build quiet-pull remove-orphans V,renew-anon-volumes scale= t,timeout= timestamps wait wait-timeout= w,watch
 y,yes
create: build force-recreate no-build no-recreate pull= quiet-pull remove-orphans scale= y,yes
run !: build cap-add= cap-drop= d,detach entrypoint= e,env= env-from-file= i,interactive l,label= name=
 T,no-TTY,no-tty no-deps p,publish= pull= q,quiet quiet-build quiet-pull remove-orphans rm P,service-ports t,tty
 use-aliases u,user= v,volume= w,workdir=
exec !: d,detach e,env= index= i,interactive T,no-TTY,no-tty privileged t,tty u,user= w,workdir=
build: build-arg= builder= check compress force-rm m,memory= no-cache no-rm parallel print progress= provenance= pull
 push q,quiet sbom= ssh= with-dependencies
config, convert: environment format= hash= images lock-image-digests models networks no-consistency no-env-resolution
 no-interpolate no-normalize no-path-resolution o,output= profiles q,quiet resolve-image-digests services variables
 volumes
cp: a,archive all L,follow-link index=
down: remove-orphans rmi= t,timeout= v,volumes
events: json since= until=
images: format= q,quiet
kill: remove-orphans s,signal=
logs: f,follow index= no-color no-log-prefix since= n,tail= t,timestamps until=
ls: a,all filter= format= q,quiet
pause:
unpause:
top:
wait:
port: index= protocol=
ps: a,all filter= format= no-trunc orphans q,quiet services status=
pull: ignore-buildable ignore-pull-failures include-deps no-parallel policy= q,quiet
push: ignore-push-failures include-deps q,quiet
publish: app insecure-registry oci-version= resolve-image-digests with-env y,yes
restart: no-deps t,timeout=
rm: a,all f,force s,stop v,volumes
scale: no-deps t,timeout=
start: wait wait-timeout=
stats: a,all format= no-stream no-trunc
stop: t,timeout=
attach: detach-keys= index= no-stdin sig-proxy
commit: a,author= c,change= index= m,message= p,pause
export: index= o,output=
volumes: format= q,quiet
watch: no-up prune quiet
version: f,format= short
"""


def below(word: str, text: str) -> str:
    """Put every path of a table below a word: ``up`` becomes ``compose up``."""
    rows = []
    for line in text.strip().splitlines():
        head, colon, options = line.partition(":")
        paths = head if line.startswith(" ") else ", ".join(f"{word} {path.strip()}" for path in head.split(","))
        rows.append(paths + colon + options)
    return "\n".join(rows) + "\n"


# docker-compose of its own, and podman-compose.
STANDALONE = parse_commands(COMPOSE, options=COMPOSE_GLOBAL)
