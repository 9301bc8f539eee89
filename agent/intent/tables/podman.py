"""The options of podman, from `podman COMMAND --help` of 4.3, and those of 5.x."""

from agent.intent.options import parse_commands
from agent.intent.tables.compose import COMPOSE, COMPOSE_GLOBAL, below

_RUN = """
add-host= annotation= arch= a,attach= authfile= blkio-weight-device= blkio-weight= cap-add= cap-drop= cert-dir=
 cgroup-conf= cgroup-parent= cgroupns= cgroups= chrootdirs= cidfile= conmon-pidfile= cpu-period= cpu-quota=
 cpu-rt-period= cpu-rt-runtime= c,cpu-shares= cpus= cpuset-cpus= cpuset-mems= creds= decryption-key=
 device-cgroup-rule= device-read-bps= device-read-iops= device-write-bps= device-write-iops= device=
 disable-content-trust dns-opt,dns-option= dns-search= dns= entrypoint= env-file= env-host env-merge= e,env= expose=
 gidmap= gpus= group-add= group-entry= health-cmd= health-interval= health-log-destination= health-max-log-count=
 health-max-log-size= health-on-failure= health-retries= health-start-period= health-startup-cmd=
 health-startup-interval= health-startup-retries= health-startup-success= health-startup-timeout= health-timeout=
 h,hostname= hosts-file= hostuser= http-proxy image-volume= init init-path= i,interactive ip6= ip= ipc=
 kernel-memory= label-file= l,label= log-driver= log-opt= mac-address= memory-reservation= memory-swap=
 memory-swappiness= m,memory= mount= name= net-alias,network-alias= net,network= no-healthcheck no-hostname no-hosts
 oom-kill-disable oom-score-adj= os= passwd-entry= personality= pid= pidfile= pids-limit= platform= pod-id-file= pod=
 preserve-fd= privileged P,publish-all p,publish= pull= q,quiet rdt-class= read-only read-only-tmpfs replace
 requires= restart= retry-delay= retry= rm rootfs sdnotify= seccomp-policy= secret= security-opt= shm-size-systemd=
 shm-size= stop-signal= stop-timeout= subgidname= subuidname= sysctl= systemd= timeout= tls-verify tmpfs= t,tty tz=
 uidmap= ulimit= umask= unsetenv-all unsetenv= u,user= userns= uts= variant= volume-driver= v,volume= volumes-from=
 w,workdir=
"""
_COMMANDS = """
attach, container attach: detach-keys= l,latest no-stdin sig-proxy
build, image build: add-host= all-platforms annotation= arch= authfile= build-arg= build-context= cache-from=
 cache-to= cache-ttl= cap-add= cap-drop= cert-dir= cgroup-parent= cgroupns= compress cpp-flag= cpu-period= cpu-quota=
 c,cpu-shares= cpuset-cpus= cpuset-mems= creds= decryption-key= device= D,disable-compression disable-content-trust
 dns= dns-option= dns-search= env= force-rm format= from= hooks-dir= http-proxy identity-label ignorefile= iidfile=
 ipc= isolation= jobs= label= layers logfile= logsplit manifest= m,memory= memory-swap= network= no-cache no-hosts
 omit-history os= os-feature= os-version= o,output= pid= platform= pull? q,quiet retry= retry-delay= rm runtime-flag=
 secret= security-opt= shm-size= sign-by= skip-unused-stages squash squash-all ssh= stdin t,tag= target= timestamp=
 tls-verify ulimit= unsetenv= userns= userns-gid-map= userns-gid-map-group= userns-uid-map= userns-uid-map-user= uts=
 variant= v,volume=
commit, container commit: a,author= c,change= f,format= iidfile= include-volumes m,message= p,pause q,quiet s,squash
container checkpoint: a,all c,compress= create-image= e,export= file-locks ignore-rootfs ignore-volumes k,keep
 l,latest R,leave-running P,pre-checkpoint print-stats tcp-established with-previous
container cleanup: a,all exec= l,latest rm rmi
container clone: blkio-weight= blkio-weight-device= cpu-period= cpu-quota= cpu-rt-period= cpu-rt-runtime=
 c,cpu-shares= cpus= cpuset-cpus= cpuset-mems= destroy device-read-bps= device-write-bps= f,force m,memory=
 memory-reservation= memory-swap= memory-swappiness= name= pod= run
cp, container cp: a,archive overwrite
create, container create !: $run init-ctr=
diff, container diff: format= l,latest
exec, container exec !: d,detach detach-keys= e,env= env-file= i,interactive l,latest preserve-fds= privileged t,tty
 u,user= w,workdir=
container exists: external
export, container export: o,output=
init, container init: a,all l,latest
container inspect: f,format= l,latest s,size
kill, container kill: a,all cidfile= l,latest s,signal=
logs, container logs: color f,follow l,latest n,names since= tail= t,timestamps until=
mount, container mount: a,all format= l,latest no-trunc
pause, container pause: a,all cidfile= f,filter= l,latest
port, container port: a,all l,latest
container prune: filter= f,force
ps, container list, container ls, container ps: a,all external f,filter= format= n,last= l,latest no-trunc noheading
 ns p,pod q,quiet s,size sort=
 sync w,watch=
rename, container rename:
restart, container restart: a,all cidfile= f,filter= l,latest running t,time=
container restore: a,all file-locks ignore-rootfs ignore-static-ip ignore-static-mac ignore-volumes i,import=
 import-previous= k,keep l,latest n,name= pod= print-stats p,publish= tcp-established
rm, container rm: a,all cidfile= depend filter= f,force i,ignore l,latest t,time= v,volumes
run, container run !: $run d,detach detach-keys= passwd preserve-fds= rmi sig-proxy
container runlabel: authfile= cert-dir= creds= display n,name= q,quiet replace tls-verify
start, container start: all a,attach detach-keys= f,filter= i,interactive l,latest sig-proxy
stats, container stats: a,all format= i,interval= l,latest no-reset no-stream no-trunc
stop, container stop: a,all cidfile= f,filter= i,ignore l,latest t,time=
top, container top !: l,latest
umount, unmount, container umount, container unmount: a,all f,force l,latest
unpause, container unpause: a,all cidfile= f,filter= l,latest
update, container update: blkio-weight= blkio-weight-device= cpu-period= cpu-quota= cpu-rt-period= cpu-rt-runtime=
 c,cpu-shares= cpus= cpuset-cpus= cpuset-mems= device-read-bps= device-read-iops= device-write-bps=
 device-write-iops= m,memory= memory-reservation= memory-swap= memory-swappiness=
wait, container wait: condition= i,interval= l,latest
events: f,filter= format= no-trunc since= until=
generate kube, kube generate: f,filename= s,service
generate spec: c,compact f,filename= n,name
generate systemd: after= container-prefix= e,env= f,files format= n,name new no-header pod-prefix= requires=
 restart-policy= restart-sec= separator= start-timeout= stop-timeout= template wants=
history, image history: format= H,human no-trunc q,quiet
image diff: format=
image exists:
import, image import: arch= c,change= m,message= os= q,quiet variant=
image inspect: f,format=
load, image load: i,input= q,quiet
image mount: a,all format=
image prune: a,all external filter= f,force
pull, image pull: a,all-tags arch= authfile= cert-dir= creds= disable-content-trust os= platform= q,quiet tls-verify
 variant=
push, image push: authfile= cert-dir= compress compression-format= creds= digestfile= disable-content-trust f,format=
 q,quiet remove-signatures sign-by= sign-by-sigstore-private-key= sign-passphrase-file= tls-verify
save, image save: compress format= m,multi-image-archive o,output= q,quiet uncompressed
image scp: q,quiet
search, image search: authfile= compatible f,filter= format= limit= list-tags no-trunc tls-verify
image sign: a,all authfile= cert-dir= d,directory= sign-by=
tag, image tag:
image tree: whatrequires
image trust set: f,pubkeysfile= t,type=
image trust show: j,json n,noheading raw
image umount, image unmount: a,all f,force
untag, image untag:
images, image list, image ls: a,all digests f,filter= format= history no-trunc n,noheading q,quiet sort=
info: f,format=
inspect: f,format= l,latest s,size t,type=
kube down:
kube play, play kube: annotation= authfile= build cert-dir= configmap= context-dir= creds= ip= log-driver= log-opt=
 mac-address=
 network= no-hosts q,quiet replace seccomp-profile-root= start tls-verify userns=
login: authfile= cert-dir= get-login p,password= password-stdin tls-verify u,username= v,verbose
logout: a,all authfile=
machine info: f,format=
machine init: cpus= disk-size= ignition-path= image-path= m,memory= now rootful timezone= username= v,volume=
 volume-driver=
machine inspect: format=
machine ls, machine list: format= noheading q,quiet
machine rm: f,force save-ignition save-image save-keys
machine set: cpus= disk-size= m,memory= rootful
machine ssh !: username=
machine start:
machine stop:
manifest add: all annotation= arch= authfile= cert-dir= creds= features= os= os-version= tls-verify variant=
manifest annotate: annotation= arch= features= os= os-features= os-version= variant=
manifest create: all a,amend tls-verify
manifest exists:
manifest inspect:
manifest push: all authfile= cert-dir= compression-format= creds= digestfile= f,format= q,quiet remove-signatures rm
 sign-by= sign-by-sigstore-private-key= sign-passphrase-file= tls-verify
manifest remove:
manifest rm:
network connect: alias= ip= ip6= mac-address=
network create: disable-dns d,driver= gateway= internal ip-range= ipam-driver= ipv6 label= o,opt= subnet=
network disconnect: f,force
network exists:
network inspect: f,format=
network ls: f,filter= format= no-trunc noheading q,quiet
network prune: filter= f,force
network reload: a,all l,latest
network rm, network remove: f,force t,time=
pod clone: blkio-weight= blkio-weight-device= cgroup-parent= c,cpu-shares= cpus= cpuset-cpus= cpuset-mems= destroy
 device= device-read-bps= device-write-bps= gidmap= h,hostname= infra-command= infra-conmon-pidfile= infra-name=
 l,label= label-file= m,memory= memory-swap= n,name= pid= security-opt= shm-size= start subgidname= subuidname=
 sysctl= uidmap= userns= uts= v,volume= volumes-from=
pod create: add-host= blkio-weight= blkio-weight-device= cgroup-parent= c,cpu-shares= cpus= cpuset-cpus= cpuset-mems=
 device= device-read-bps= device-write-bps= dns= dns-option= dns-search= exit-policy= gidmap= h,hostname= infra
 infra-command= infra-conmon-pidfile= infra-image= infra-name= ip= ip6= l,label= label-file= mac-address= m,memory=
 memory-swap= n,name= network= network-alias= no-hosts pid= pod-id-file= p,publish= replace security-opt= share=
 share-parent shm-size= subgidname= subuidname= sysctl= uidmap= userns= uts= v,volume= volumes-from=
pod exists:
pod inspect: f,format= l,latest
pod kill: a,all l,latest s,signal=
pod logs: color c,container= f,follow l,latest n,names since= tail= t,timestamps until=
pod pause: a,all l,latest
pod prune: f,force
pod ls, pod list, pod ps: ctr-ids ctr-names ctr-status f,filter= format= l,latest no-trunc noheading ns q,quiet sort=
pod restart: a,all l,latest
pod rm: a,all f,force i,ignore l,latest pod-id-file= t,time=
pod start: a,all l,latest pod-id-file=
pod stats: a,all format= l,latest no-reset no-stream
pod stop: a,all i,ignore l,latest pod-id-file= t,time=
pod top: l,latest
pod unpause: a,all l,latest
rmi, image rm: a,all f,force i,ignore no-prune
secret create: d,driver= driver-opts= env l,label=
secret inspect: f,format= pretty
secret ls, secret list: f,filter= format= noheading q,quiet
secret rm: a,all
system connection add: d,default identity= p,port= socket-path=
system connection default:
system connection ls, system connection list: f,format= q,quiet
system connection rm, system connection remove: a,all
system connection mv, system connection rename:
system df: format= v,verbose
system info: f,format=
system migrate: new-runtime=
system prune: a,all filter= f,force volumes
system renumber:
system reset: f,force
system service: cors= t,time=
unshare !: rootless-netns
version: f,format=
volume create: driver= l,label= o,opt=
volume exists:
volume export: o,output=
volume import:
volume inspect: a,all f,format=
volume ls, volume list: f,filter= format= noheading q,quiet
volume mount:
volume prune: filter= f,force
volume reload:
volume rm, volume remove: a,all f,force t,time=
volume unmount:
"""

PODMAN = parse_commands(
    _COMMANDS + "compose !: $compose\n" + below("compose", COMPOSE),
    options="c,connection= H,host,url= identity= module= ssh= v,version",
    inherited="cdi-spec-dir= cgroup-manager= conmon= config= cpu-profile= database-backend= default-mounts-file= "
    "events-backend= hooks-dir= imagestore= log-level= max-workers= memory-profile= namespace= network-cmd-path= "
    "network-config-dir= noout out= pull-option= registries-conf= r,remote root= runroot= runtime= runtime-flag= "
    "storage-driver= storage-opt= syslog tls-ca= tls-cert= tls-key= tmpdir= trace transient-store volumepath=",
    run=_RUN,
    compose=COMPOSE_GLOBAL,
)
