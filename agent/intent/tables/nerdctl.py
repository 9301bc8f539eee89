"""The options of nerdctl 2.x, from its command reference."""

from agent.intent.options import parse_commands
from agent.intent.tables.compose import COMPOSE, COMPOSE_GLOBAL, below

_VERIFY = """
cosign-certificate-identity= cosign-certificate-identity-regexp= cosign-certificate-oidc-issuer=
 cosign-certificate-oidc-issuer-regexp= cosign-key= ipfs-address= verify=
"""

_RUN = f"""
add-host= annotation= a,attach= blkio-weight= blkio-weight-device= cap-add= cap-drop= cgroup-conf= cgroup-parent=
 cgroupns= cidfile= cpu-period= cpu-quota= cpu-rt-period= cpu-rt-runtime= cpu-shares= cpus= cpuset-cpus= cpuset-mems=
 d,detach detach-keys= device= device-read-bps= device-read-iops= device-write-bps= device-write-iops= dns=
 dns-opt,dns-option= dns-search= domainname= entrypoint= e,env= env-file= expose= gpus= group-add= health-cmd=
 health-interval= health-retries= health-start-interval= health-start-period= health-timeout= h,hostname= init
 init-binary= i,interactive ip= ip6= ipc= isolation= kernel-memory= l,label= label-file= log-driver= log-opt=
 mac-address= m,memory= memory-reservation= memory-swap= memory-swappiness= mount= name= net,network=
 net-alias,network-alias= no-healthcheck oom-kill-disable oom-score-adj= pid= pidfile= pids-limit= platform=
 privileged p,publish= P,publish-all pull= q,quiet rdt-class= read-only restart= rm rootfs runtime= security-opt=
 shm-size= sig-proxy stop-signal= stop-timeout= sysctl= systemd= tmpfs= t,tty ulimit= umask= u,user= userns=
 userns-remap= uts= v,volume= volumes-from= w,workdir= {_VERIFY}
"""

_COMMANDS = """
run, container run !: $run
create, container create !: $run
exec, container exec !: d,detach detach-keys= e,env= env-file= i,interactive privileged t,tty u,user= w,workdir=
ps, container ls, container list, container ps: a,all f,filter= format= n,last= l,latest no-trunc q,quiet s,size
build, builder build, image build: add-host= allow= attest= build-arg= build-context= buildkit-host= cache-from=
 cache-to= f,file= iidfile= ipfs label= network= no-cache o,output= platform= progress= provenance= pull q,quiet rm
 sbom= secret= ssh= t,tag= target=
images, image ls, image list: a,all digests f,filter= format= names no-trunc q,quiet
pull, image pull: all-platforms ipfs-address= platform= q,quiet soci-index-digest= unpack= $verify
push, image push: all-platforms allow-nondistributable-artifacts cosign-key= estargz ipfs-address=
 ipfs-ensure-image notation-key-name= platform= q,quiet sign= soci-min-layer-size= soci-span-size=
attach, container attach: detach-keys= no-stdin sig-proxy
commit, container commit: a,author= c,change= compression= estargz format= m,message= p,pause zstdchunked
cp, container cp: a,archive L,follow-link
export, container export: o,output=
import, image import: c,change= m,message= platform=
inspect, container inspect, image inspect: f,format= mode= platform= s,size type=
kill, container kill: s,signal=
load, image load: all-platforms i,input= platform= q,quiet
logs, container logs: details f,follow since= n,tail= t,timestamps until=
restart, container restart: s,signal= t,time=
rm, container rm, container remove: f,force v,volumes
rmi, image rm, image remove: async f,force
save, image save: all-platforms o,output= platform=
start, container start: a,attach checkpoint= checkpoint-dir= detach-keys= i,interactive
stop, container stop: s,signal= t,time=
stats, container stats: a,all format= no-stream no-trunc
update, container update: blkio-weight= cpu-period= cpu-quota= cpu-shares= cpus= cpuset-cpus= cpuset-mems=
 kernel-memory= m,memory= memory-reservation= memory-swap= pids-limit= restart=
top, container top !:
diff, container diff:
history, image history: f,format= H,human no-trunc q,quiet
pause, container pause:
port, container port:
rename, container rename:
tag, image tag:
unpause, container unpause:
wait, container wait:
login: p,password= password-stdin u,username=
logout:
events, system events: f,filter= format=
info, system info: f,format= mode=
version: f,format=
system prune: a,all f,force volumes
network create: d,driver= gateway= internal ip-range= ipam-driver= ipam-opt= ipv6 label= o,opt= subnet=
network ls, network list: f,filter= format= q,quiet
volume create: label= d,driver= o,opt=
volume ls, volume list: f,filter= format= q,quiet s,size
image convert: all-platforms docker2oci estargz nydus oci overlaybd platform= uncompress zstd zstdchunked
image encrypt, image decrypt: all-platforms dec-recipient= gpg-homedir= gpg-version= key= platform= recipient=
container *:
image *:
network *:
volume *:
namespace *:
system *:
builder *:
checkpoint *:
manifest *:
apparmor *:
ipfs *:
compose !: $compose
"""

NERDCTL = parse_commands(
    _COMMANDS + below("compose", COMPOSE),
    options="a,H,address= n,namespace= v,version",
    inherited="host,address= bridge-ip= cdi-spec-dirs= cgroup-manager= cni-netconfpath= cni-path= data-root= debug "
    "debug-full experimental global-dns= host-gateway-ip= hosts-dir= insecure-registry kube-hide-dupe namespace= "
    "storage-driver,snapshotter= userns-remap=",
    run=_RUN,
    verify=_VERIFY,
    compose=COMPOSE_GLOBAL,
)
