"""The options of docker, from `docker COMMAND --help` of 28.2 (buildx: 0.29), and hidden ones."""

from agent.intent.options import parse_commands
from agent.intent.tables.compose import COMPOSE, COMPOSE_GLOBAL, below

_RUN = """
add-host= annotation= a,attach= blkio-weight= blkio-weight-device= cap-add= cap-drop= cgroup-parent= cgroupns=
 cidfile= cpu-count= cpu-percent= cpu-period= cpu-quota= cpu-rt-period= cpu-rt-runtime= c,cpu-shares= cpus=
 cpuset-cpus= cpuset-mems= device= device-cgroup-rule= device-read-bps= device-read-iops= device-write-bps=
 device-write-iops= disable-content-trust dns= dns-opt,dns-option= dns-search= domainname= entrypoint= e,env=
 env-file= expose= gpus= group-add= health-cmd= health-interval= health-retries= health-start-interval=
 health-start-period= health-timeout= h,hostname= init i,interactive io-maxbandwidth= io-maxiops= ip= ip6= ipc=
 isolation= kernel-memory= l,label= label-file= link= link-local-ip= log-driver= log-opt= mac-address= m,memory=
 memory-reservation= memory-swap= memory-swappiness= mount= name= net,network= net-alias,network-alias=
 no-healthcheck oom-kill-disable oom-score-adj= pid= pids-limit= platform= privileged p,publish= P,publish-all pull=
 q,quiet read-only restart= rm runtime= security-opt= shm-size= stop-signal= stop-timeout= storage-opt= sysctl=
 tmpfs= t,tty ulimit= use-api-socket u,user= userns= uts= v,volume= volume-driver= volumes-from= w,workdir=
"""
_BUILD = """
add-host= allow= annotation= attest= build-arg= build-context= builder= cache-from= cache-to= call= cgroup-parent=
 check compress cpu-period= cpu-quota= c,cpu-shares= cpuset-cpus= cpuset-mems= D,debug d,detach disable-content-trust
 f,file= force-rm iidfile= isolation= label= load memory-swap= m,memory= metadata-file= network= no-cache
 no-cache-filter= o,output= platform= policy= print= progress= provenance= pull push q,quiet rm root= sbom= secret=
 security-opt= server-config= shm-size= source-policy= squash ssh= t,tag= target= ulimit=
"""
_COMMANDS = """
run, container run !: $run d,detach detach-keys= sig-proxy
exec, container exec !: d,detach detach-keys= e,env= env-file= i,interactive privileged t,tty u,user= w,workdir=
ps, container list, container ls, container ps: a,all f,filter= format= n,last= l,latest no-trunc q,quiet s,size
build, builder build, image build: $build
pull, image pull: a,all-tags disable-content-trust platform= q,quiet
push, image push: a,all-tags disable-content-trust platform= q,quiet
images, image list, image ls: a,all digests f,filter= format= no-trunc q,quiet tree
login: p,password= password-stdin u,username=
logout:
search: f,filter= format= limit= no-trunc
version: f,format= kubeconfig=
info, system info: f,format=
builder prune: a,all filter= f,force keep-storage=
checkpoint create: checkpoint-dir= leave-running
checkpoint ls, checkpoint list: checkpoint-dir=
checkpoint rm, checkpoint remove: checkpoint-dir=
attach, container attach: detach-keys= no-stdin sig-proxy
commit, container commit: a,author= c,change= m,message= p,pause
cp, container cp: a,archive L,follow-link q,quiet
create, container create !: $run
diff, container diff:
export, container export: o,output=
container inspect: f,format= s,size
kill, container kill: s,signal=
logs, container logs: details f,follow since= n,tail= t,timestamps until=
pause, container pause:
port, container port:
container prune: filter= f,force
rename, container rename:
restart, container restart: s,signal= t,time,timeout=
rm, container remove, container rm: f,force l,link v,volumes
start, container start: a,attach checkpoint= checkpoint-dir= detach-keys= i,interactive
stats, container stats: a,all format= no-stream no-trunc
stop, container stop: s,signal= t,time,timeout=
top, container top !:
unpause, container unpause:
update, container update: blkio-weight= cpu-period= cpu-quota= cpu-rt-period= cpu-rt-runtime= c,cpu-shares= cpus=
 cpuset-cpus= cpuset-mems= kernel-memory= m,memory= memory-reservation= memory-swap= pids-limit= restart=
wait, container wait:
context create: default-stack-orchestrator= description= docker= from= kubernetes=
context export: kubeconfig
context import:
context inspect: f,format=
context ls, context list: format= q,quiet
context rm, context remove: f,force
context show:
context update: default-stack-orchestrator= description= docker= kubernetes=
context use:
history, image history: format= H,human no-trunc platform= q,quiet
import, image import: c,change= m,message= platform=
image inspect: f,format= platform=
load, image load: i,input= platform= q,quiet
image prune: a,all filter= f,force
rmi, image remove, image rm: f,force no-prune platform=
save, image save: o,output= platform=
tag, image tag:
manifest annotate: arch= os= os-features= os-version= variant=
manifest create: a,amend insecure
manifest inspect: insecure v,verbose
manifest push: insecure p,purge
manifest rm:
network connect: alias= driver-opt= gw-priority= ip= ip6= link= link-local-ip=
network create: attachable aux-address= config-from= config-only d,driver= gateway= ingress internal ip-range=
 ipam-driver= ipam-opt= ipv4 ipv6 label= o,opt= scope= subnet=
network disconnect: f,force
network inspect: f,format= v,verbose
network ls, network list: f,filter= format= no-trunc q,quiet
network prune: filter= f,force
network rm, network remove: f,force
plugin create: compress
plugin disable: f,force
plugin enable: timeout=
plugin inspect: f,format=
plugin install: alias= disable disable-content-trust grant-all-permissions
plugin ls, plugin list: f,filter= format= no-trunc q,quiet
plugin push: disable-content-trust
plugin rm, plugin remove: f,force
plugin set:
plugin upgrade: disable-content-trust grant-all-permissions skip-remote-check
system df: format= v,verbose
events, system events: f,filter= format= since= until=
system prune: a,all filter= f,force volumes
trust key generate: dir=
trust key load: name=
trust signer add: key=
trust signer remove: f,force
trust inspect: pretty
trust revoke: y,yes
trust sign: local
volume create: availability= d,driver= group= label= limit-bytes= o,opt= required-bytes= scope= secret= sharing=
 topology-preferred= topology-required= type=
volume inspect: f,format=
volume ls, volume list: cluster f,filter= format= q,quiet
volume prune: a,all filter= f,force
volume rm, volume remove: f,force
volume update: availability=
config create: l,label= template-driver=
config inspect: f,format= pretty
config ls, config list: f,filter= format= q,quiet
config rm, config remove:
node demote:
node inspect: f,format= pretty
node ls, node list: f,filter= format= q,quiet
node promote:
node ps: f,filter= format= no-resolve no-trunc q,quiet
node rm, node remove: f,force
node update: availability= label-add= label-rm= role=
secret create: d,driver= l,label= template-driver=
secret inspect: f,format= pretty
secret ls, secret list: f,filter= format= q,quiet
secret rm, secret remove:
service create !: cap-add= cap-drop= config= constraint= container-label= credential-spec= d,detach dns= dns-option=
 dns-search= endpoint-mode= entrypoint= e,env= env-file= generic-resource= group= health-cmd= health-interval=
 health-retries= health-start-interval= health-start-period= health-timeout= host= hostname= init isolation= l,label=
 limit-cpu= limit-memory= limit-pids= log-driver= log-opt= max-concurrent= mode= mount= name= network= no-healthcheck
 no-resolve-image oom-score-adj= placement-pref= p,publish= q,quiet read-only replicas= replicas-max-per-node=
 reserve-cpu= reserve-memory= restart-condition= restart-delay= restart-max-attempts= restart-window= rollback-delay=
 rollback-failure-action= rollback-max-failure-ratio= rollback-monitor= rollback-order= rollback-parallelism= secret=
 stop-grace-period= stop-signal= sysctl= t,tty ulimit= update-delay= update-failure-action= update-max-failure-ratio=
 update-monitor= update-order= update-parallelism= u,user= with-registry-auth w,workdir=
service inspect: f,format= pretty
service logs: details f,follow no-resolve no-task-ids no-trunc raw since= n,tail= t,timestamps
service ls, service list: f,filter= format= q,quiet
service ps: f,filter= format= no-resolve no-trunc q,quiet
service rm, service remove:
service rollback: d,detach q,quiet
service scale: d,detach
service update: args= cap-add= cap-drop= config-add= config-rm= constraint-add= constraint-rm= container-label-add=
 container-label-rm= credential-spec= d,detach dns-add= dns-option-add= dns-option-rm= dns-rm= dns-search-add=
 dns-search-rm= endpoint-mode= entrypoint= env-add= env-rm= force generic-resource-add= generic-resource-rm=
 group-add= group-rm= health-cmd= health-interval= health-retries= health-start-interval= health-start-period=
 health-timeout= host-add= host-rm= hostname= image= init isolation= label-add= label-rm= limit-cpu= limit-memory=
 limit-pids= log-driver= log-opt= max-concurrent= mount-add= mount-rm= network-add= network-rm= no-healthcheck
 no-resolve-image oom-score-adj= placement-pref-add= placement-pref-rm= publish-add= publish-rm= q,quiet read-only
 replicas= replicas-max-per-node= reserve-cpu= reserve-memory= restart-condition= restart-delay=
 restart-max-attempts= restart-window= rollback rollback-delay= rollback-failure-action= rollback-max-failure-ratio=
 rollback-monitor= rollback-order= rollback-parallelism= secret-add= secret-rm= stop-grace-period= stop-signal=
 sysctl-add= sysctl-rm= t,tty ulimit-add= ulimit-rm= update-delay= update-failure-action= update-max-failure-ratio=
 update-monitor= update-order= update-parallelism= u,user= with-registry-auth w,workdir=
stack config: orchestrator= c,compose-file= skip-interpolation
stack deploy, stack up: orchestrator= kubeconfig= namespace= c,compose-file= d,detach prune q,quiet resolve-image=
 with-registry-auth
stack ls, stack list: all-namespaces format= kubeconfig= namespace= orchestrator=
stack ps: orchestrator= kubeconfig= namespace= f,filter= format= no-resolve no-trunc q,quiet
stack rm, stack remove, stack down: orchestrator= kubeconfig= namespace= d,detach
stack services: orchestrator= kubeconfig= namespace= f,filter= format= q,quiet
swarm ca: ca-cert= ca-key= cert-expiry= d,detach external-ca= q,quiet rotate
swarm init: advertise-addr= autolock availability= cert-expiry= data-path-addr= data-path-port= default-addr-pool=
 default-addr-pool-mask-length= dispatcher-heartbeat= external-ca= force-new-cluster listen-addr= max-snapshots=
 snapshot-interval= task-history-limit=
swarm join: advertise-addr= availability= data-path-addr= listen-addr= token=
swarm join-token: q,quiet rotate
swarm leave: f,force
swarm unlock:
swarm unlock-key: q,quiet rotate
swarm update: autolock cert-expiry= dispatcher-heartbeat= external-ca= max-snapshots= snapshot-interval=
 task-history-limit=
inspect: f,format= s,size type=
"""

_BUILDX = """
buildx build, buildx b, buildx debug build: $build
buildx bake, buildx f: allow= builder= call= check D,debug f,file= list= load metadata-file= no-cache print progress=
 provenance= pull push sbom= set= v,var=
buildx create: append bootstrap buildkitd-config= buildkitd-flags= config= driver= driver-opt= leave name= node=
 platform= use
buildx imagetools * : builder=
buildx *: builder=
compose !: $compose
"""

DOCKER = parse_commands(
    _COMMANDS + _BUILDX + below("compose", COMPOSE),
    options="config= c,context= D,debug H,host= l,log-level= tls tlscacert= tlscert= tlskey= tlsverify v,version",
    run=_RUN,
    build=_BUILD,
    compose=COMPOSE_GLOBAL,
)
