"""The options of ctr (1.6 by its help, 2.x by its documentation) and of crictl (1.34)."""

from agent.intent.options import parse_commands

# What `ctr run` and `ctr containers create` share; those past the first rows came with 1.7 and 2.x.
_CONTAINER = """
allow-new-privs annotation= apparmor-default-profile= apparmor-profile= cap-add= cap-drop= c,config= cpu-period=
 cpu-quota= cwd= device= env= env-file= gpus= label= memory-limit= mount= net-host no-pivot pid-file= privileged
 rdt-class= read-only rootfs rootfs-propagation= runtime= runtime-config-path= seccomp seccomp-profile= snapshotter=
 snapshotter-label= t,tty with-ns=
 blockio-class= blockio-config-file= cdi= cgroup= cpu-shares= cpus= cpuset-cpus= cpuset-mems= device-cgroup-rule=
 gidmap= hostname= no-sync-fs= privileged-without-host-devices remap-labels runc-binary= runc-root=
 runc-systemd-cgroup sandbox= u,user= uidmap= platform=
"""

_RUN = "cni d,detach fifo-dir= keep log-uri= null-io rm"

_REGISTRY = """
all-metadata all-platforms hosts-dir= http-dump http-trace k,skip-verify label= local max-concurrent-downloads=
 max-concurrent-uploaded-layers= plain-http platform= print-chainid refresh= skip-metadata snapshotter=
 sync-fs tlscacert= tlscert= tlskey= unpack u,user=
"""

_CTR = """
run !: $container $run
create, containers create, container create, c create: $container
exec, tasks exec, task exec, t exec !: cwd= d,detach exec-id= fifo-dir= log-uri= t,tty u,user=
start, tasks start, task start, t start: d,detach fifo-dir= log-uri= no-pivot null-io pid-file=
attach, tasks attach, task attach, t attach:
checkpoint, tasks checkpoint, task checkpoint, t checkpoint, containers checkpoint, container checkpoint,
 c checkpoint: exit image image-path= rw task work-path=
restore, containers restore, container restore, c restore: live rw
kill, tasks kill, task kill, t kill: a,all exec-id= s,signal=
tasks delete, task delete, t delete, tasks rm, task rm, t rm: exec-id= f,force
tasks ls, tasks list, task ls, task list, t ls, t list: q,quiet
tasks metrics, task metrics, t metrics, tasks metric, task metric, t metric: format=
tasks, task, t *:
containers delete, container delete, c delete, containers rm, container rm, c rm: keep-snapshot
containers ls, containers list, container ls, container list, c ls, c list: q,quiet
containers info, container info, c info: spec
containers, container, c *:
pull, images pull, image pull, i pull: $registry
push, images push, image push, i push: $registry allow-non-distributable-blobs manifest= manifest-type=
import, images import, image import, i import: all-platforms base-name= compress-blobs digests discard-unpacked-layers
 index-name= local no-unpack platform= skip-digest-for-named snapshotter= sync-fs
export, images export, image export, i export: all-platforms local platform= skip-manifest-json
 skip-non-distributable
mount, images mount, image mount, i mount: $registry rw
unmount, images unmount, image unmount, i unmount: rm
images ls, images list, image ls, image list, i ls, i list: q,quiet
images rm, images delete, image rm, image delete, i rm, i delete: sync
images convert, image convert, i convert: all-platforms estargz oci platform= uncompress
images, image, i *:
mount, snapshots mounts, snapshots mount, snapshots m, snapshot mounts, snapshot mount, snapshot m: snapshotter=
snapshots, snapshot !*: snapshotter=
shim exec !: id= a,attach cwd= e,env= spec= stderr= stdin= stdout= t,tty
shim !*: id=
content *:
leases *:
namespaces, namespace, ns *:
plugins, plugin *:
events, event:
oci *:
sandboxes run, sandbox run, sb run, sandboxes r, sandbox r, sb r: runtime=
sandboxes, sandbox, sb *:
install: l,libs r,replace path=
info:
version:
deprecations *:
pprof *:
"""

CTR = parse_commands(
    _CTR,
    options="a,address= connect-timeout= debug n,namespace= timeout= v,version h,help",
    container=_CONTAINER,
    run=_RUN,
    registry=_REGISTRY,
)

_SELECT = "image= label= n,last= l,latest name= p,pod= s,state="
_CRI_PULL = "auth= cancel-timeout= creds= pull-timeout= username="

_CRICTL = """
exec !: e,ignore-errors image= i,interactive label= n,last= l,latest name= x,parallel p,pod= q,quiet state= s,sync
 timeout= tls-ca= tls-cert= tls-key= tls-server-name,tls-sni= r,transport= t,tty
attach !: i,stdin tls-ca= tls-cert= tls-key= tls-server-name,tls-sni= r,transport= t,tty
run !: no-pull r,runtime= with-pull $pull
runp !: cancel-timeout= r,runtime=
create !: no-pull with-pull $pull
start !:
stop !: a,all t,timeout=
rm !: a,all f,force k,keep-logs
stopp !:
rmp !: a,all f,force
rmi !: a,all q,prune
pull !: a,annotation= pod-config= $pull
checkpoint !: e,export=
update !: cpu-count= cpu-maximum= cpu-period= cpu-quota= cpu-share= cpuset-cpus= cpuset-mems= memory= oom-score-adj=
port-forward !: tls-ca= tls-cert= tls-key= tls-server-name,tls-sni= r,transport=
ps !: a,all id= no-trunc o,output= q,quiet r,resolve-image-path v,verbose $select
pods !: id= label= n,last= l,latest name= namespace= no-trunc o,output= q,quiet s,state= v,verbose
images, image, img !: digests f,filter= no-trunc o,output= p,pinned q,quiet v,verbose
inspect !: a,all namespace= o,output= q,quiet template= $select
inspectp !: id= label= n,last= l,latest name= namespace= o,output= q,quiet s,state= template=
inspecti !: f,filter= o,output= q,quiet template=
imagefsinfo !: o,output= template=
logs !: f,follow limit-bytes= p,previous since= tail= t,timestamps r,reopen
info !: o,output= q,quiet template=
version !:
stats !: a,all id= label= name= o,output= p,pod= seconds= w,watch
statsp !: id= label= name= o,output= seconds= w,watch
metricsp:
metdescs:
events:
config:
runtime-config:
update-runtime-config:
completion:
"""

CRICTL = parse_commands(
    _CRICTL,
    options="c,config= D,debug enable-tracing i,image-endpoint= profile-cpu= profile-mem= r,runtime-endpoint= "
    "t,timeout= "
    "tracing-endpoint= tracing-sampling-rate-per-million= v,version h,help",
    select=_SELECT,
    pull=_CRI_PULL,
)
