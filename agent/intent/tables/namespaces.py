"""The options of util-linux's nsenter and unshare (2.41; busybox has a part of them), coreutils' chroot, capsh."""

from agent.intent.options import parse_table

NSENTER = parse_table("""
a,all t,target= m,mount? u,uts? i,ipc? n,net? p,pid? C,cgroup? U,user? T,time? S,setuid= G,setgid=
preserve-credentials keep-caps r,root? w,wd? W,wdns= e,env F,no-fork c,join-cgroup N,net-socket= user-parent
Z,follow-context h,help V,version
""")

# Here only the long options take a file: -Urm is three switches.
UNSHARE = parse_table("""
m,mount u,uts i,ipc n,net p,pid U,user C,cgroup T,time mount? uts? ipc? net? pid? user? cgroup? time? f,fork
map-user= map-group= r,map-root-user c,map-current-user map-auto map-subids map-users= map-groups= owner= kill-child?
mount-proc? mount-binfmt? propagation= setgroups= keep-caps R,root= w,wd= S,setuid= G,setgid= forward-signals
load-interp= l monotonic= boottime= h,help V,version
""")

CHROOT = parse_table("groups= userspec= skip-chdir help version")

NSPAWN = parse_table("""
h,help version q,quiet no-pager settings= cleanup no-ask-password D,directory= template= x,ephemeral i,image=
image-policy= mstack= oci-bundle= read-only volatile? root-hash= root-hash-sig= verity-data= pivot-root= a,as-pid2
b,boot chdir= E,setenv= u,user= kill-signal= notify-ready= suppress-sync= M,machine= hostname= uuid= S,slice=
property= register= keep-unit private-users? private-users-chown U private-users-ownership= private-users-delegate=
private-network network-interface= network-macvlan= network-ipvlan= n,network-veth network-veth-extra=
network-bridge= network-zone= network-namespace-path= p,port= capability= drop-capability= ambient-capability=
no-new-privileges= system-call-filter= Z,selinux-context= L,selinux-apifs-context= rlimit= oom-score-adjust=
cpu-affinity= personality= resolv-conf= timezone= link-journal= j bind= bind-ro= inaccessible= tmpfs= overlay=
overlay-ro= bind-user= bind-user-shell= bind-user-group= console= P,pipe background= set-credential= load-credential=
uid= user-scope system forward-journal= restrict-address-families=
""")

MACHINECTL = parse_table("""
h,help version no-pager no-legend no-ask-password H,host= M,machine= p,property= q,quiet a,all value l,full
kill-whom= s,signal= uid= E,setenv= read-only mkdir n,lines= max-addresses= o,output= verify= force now runner=
format= V system user
""")

LXC_ATTACH = parse_table("""
n,name= e,elevated-privileges? a,arch= s,namespaces= R,remount-sys-proc clear-env keep-env L,pty-log= v,set-var=
keep-var= f,rcfile= u,uid= g,gid= c,context= o,logfile= l,logpriority= q,quiet P,lxcpath= rcfile= help version
""")

# capsh acts on its options one by one and matches them whole; those with "=" are never apart from their value.
CAPSH = parse_table("""
chroot= uid= user= gid= groups= drop= caps= inh= iab= mode? keep= secbits= shell= has-p= has-i= has-b= has-a= is-uid=
is-gid= print decode= supports= current noamb noenv forkfor= killit= cap-uid= strict quiet license suggest= explain=
""")
