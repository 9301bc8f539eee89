"""The options of buildah, from `buildah COMMAND --help` of 1.28, with those that later versions added."""

from agent.intent.options import parse_commands

_COMMANDS = """
add: add-history chmod= chown= contextdir= from= ignorefile= q,quiet retry= retry-delay=
build, bud, build-using-dockerfile: add-host= all-platforms annotation= arch= authfile= build-arg= build-context=
 cache-from= cache-to= cache-ttl= cap-add= cap-drop= cert-dir= cgroup-parent= cgroupns= compress cpp-flag=
 cpu-period= cpu-quota= c,cpu-shares= cpuset-cpus= cpuset-mems= creds= decryption-key= device= D,disable-compression
 disable-content-trust dns= dns-option= dns-search= env= force-rm format= from= hooks-dir= http-proxy identity-label
 ignorefile= iidfile= ipc= isolation= jobs= label= layers logfile= logsplit manifest= m,memory= memory-swap=
 net,network= no-cache no-hosts omit-history os= os-feature= os-version= o,output= pid= platform= pull? q,quiet
 retry= retry-delay= rm runtime= runtime-flag= secret= security-opt= shm-size= sign-by= skip-unused-stages squash
 ssh= stdin t,tag= target= timestamp= tls-verify ulimit= unsetenv= userns= userns-gid-map= userns-gid-map-group=
 userns-uid-map= userns-uid-map-user= uts= variant= v,volume=
commit: authfile= cert-dir= creds= D,disable-compression encrypt-layer= encryption-key= f,format= identity-label
 iidfile= manifest= omit-history q,quiet rm sign-by= squash timestamp= tls-verify unsetenv=
config: add-history a,annotation= arch= author= cmd= comment= created-by= domainname= healthcheck=
 healthcheck-interval= healthcheck-retries= healthcheck-start-period= healthcheck-timeout= history-comment= hostname=
 l,label= onbuild= os-feature= os-version= p,port= shell= u,user= variant= v,volume= workdir,workingdir=
ps, containers, list, ls: a,all f,filter= format= json n,noheading notruncate q,quiet
copy: add-history chmod= chown= contextdir= from= ignorefile= q,quiet retry= retry-delay=
from: add-host= arch= authfile= cap-add= cap-drop= cert-dir= cgroup-parent= cgroupns= cidfile= cpu-period= cpu-quota=
 c,cpu-shares= cpuset-cpus= cpuset-mems= creds= decryption-key= device= dns= dns-option= dns-search= f,format=
 http-proxy ipc= isolation= m,memory= memory-swap= name= net,network= os= pid= platform= pull? q,quiet retry=
 retry-delay= security-opt= shm-size= tls-verify ulimit= userns= userns-gid-map= userns-gid-map-group=
 userns-uid-map= userns-uid-map-user= uts= variant= v,volume=
images: a,all digests f,filter= format= history json no-trunc n,noheading q,quiet
info: d,debug format=
inspect: f,format= t,type=
login: authfile= cert-dir= get-login p,password= password-stdin tls-verify u,username= v,verbose
logout: a,all authfile=
manifest add: all annotation= arch= authfile= cert-dir= creds= features= os= os-features= os-version= tls-verify
 variant=
manifest annotate: annotation= arch= features= os= os-features= os-version= variant=
manifest create: all amend tls-verify
manifest exists:
manifest inspect:
manifest push: all authfile= cert-dir= creds= digestfile= f,format= q,quiet remove-signatures rm sign-by= tls-verify
manifest remove:
manifest rm:
mount: json
pull: a,all-tags arch= authfile= cert-dir= creds= decryption-key= os= platform= policy= q,quiet remove-signatures
 retry= retry-delay= tls-verify variant=
push: all authfile= cert-dir= compression-format= compression-level= creds= digestfile= D,disable-compression
 encrypt-layer= encryption-key= f,format= q,quiet remove-signatures retry= retry-delay= rm sign-by= tls-verify
rename:
rm, delete: a,all
rmi: a,all f,force p,prune
run !: device= add-history cap-add= cap-drop= cgroupns= contextdir= e,env= hostname= ipc= isolation= mount=
 net,network= no-hosts no-pivot pid= runtime= runtime-flag= t,tty,terminal user= uts= v,volume= workdir,workingdir=
source add: annotation=
source create: author= time-stamp
source pull: creds= q,quiet tls-verify
source push: creds= q,quiet tls-verify
tag:
umount, unmount: a,all
unshare !: m,mount=
version: json
prune: a,all f,force
mkcw: add-file= attestation-url,passphrase= base-image= cpus= firmware-library= ignore-attestation-errors memory=
 slop= type= workload-id=
"""

BUILDAH = parse_commands(
    _COMMANDS,
    options="v,version",
    inherited="cgroup-manager= cpu-profile= default-mounts-file= log-level= memory-profile= registries-conf= "
    "registries-conf-dir= root= runroot= short-name-alias-conf= storage-driver= storage-opt= userns-gid-map= "
    "userns-uid-map=",
)
