"""The options of LXD's lxc and of incus, which differ little, and of the daemons that are started with options."""

from agent.intent.options import parse_commands, parse_table

_LXD = """
launch: c,config= console? d,device= empty e,ephemeral n,network= no-profiles p,profile= s,storage= target= t,type= vm
 description=
init, create: c,config= d,device= empty e,ephemeral n,network= no-profiles p,profile= s,storage= target= t,type= vm
 description=
config set: e,--expanded p,property target=
config device add: target=
config device set: target=
config device override: target=
config device *:
config edit: target=
config get: e,expanded p,property target=
config show: e,expanded target=
config trust *:
config *:
profile device add:
profile device *:
profile set: p,property
profile *:
exec, shell: cwd= n,disable-stdin env= T,force-noninteractive t,force-interactive group= mode= user=
file push: p,create-dirs gid= mode= r,recursive uid=
file pull: p,create-dirs r,recursive
file mount: auth-user= listen= no-auth
file *: f,force
storage create: target= description=
storage volume *: target= p,property t,type=
storage *: target=
copy: allow-inconsistent c,config= d,device= e,ephemeral instance-only mode= no-profiles p,profile= refresh stateless
 s,storage= target= target-project=
image import: alias= public reuse
image copy: alias= auto-update copy-aliases mode= p,profile= public reuse target-project= vm
image *:
remote add: accept-certificate auth-type= domain= password= project= protocol= public global token=
remote *:
cluster *:
network *:
project *:
operation *:
admin init: auto d,dump minimal network-address= network-port= preseed storage-backend= storage-create-device=
 storage-create-loop= storage-pool= trust-password=
admin *:
console: show-log t,type=
list, ls: all-projects c,columns= f,format= fast
publish: alias= compression= expire= f,force public reuse
query: d,data= raw X,request= w,wait
"""

LXD = parse_commands(_LXD, inherited="debug explain force-local h,help project= q,quiet sub-commands v,verbose version")

# Only what opens a daemon to others; whatever else they take changes nothing of that.
DAEMONS = {
    "dockerd": parse_table(
        "H,host= tls tlsverify config-file= add-runtime= default-runtime= data-root= exec-root= containerd= "
        "l,log-level= p,pidfile= G,group= D,debug tlscacert= tlscert= tlskey= storage-driver= b,bridge="
    ),
    "containerd": parse_table("a,address= c,config= l,log-level= root= state="),
    "buildkitd": parse_table("addr= group= config= root= allow-insecure-entitlement= tlscacert= tlscert= tlskey="),
}
