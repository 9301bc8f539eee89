"""
Programs that run another program: their options, so that the other's command line is found behind them.

Sources: the manual pages of sudo, coreutils, util-linux, findutils, systemd, procps, shadow, strace.
"""

from collections.abc import Mapping

import msgspec

from agent.intent.options import Table, parse_table


class Wrapper(msgspec.Struct, frozen=True):
    """
    How a program names the one it runs.

    `skips`: positionals that stand before the command, as timeout's duration.
    `assigns`: ``NAME=VALUE`` may stand before the command.
    `text`: the option whose value is a shell text.
    `directory`: the option that sets the working directory.
    """

    options: Table
    skips: int = 0
    assigns: bool = False
    text: str | None = None
    directory: str | None = None
    scattered: bool = False


def _wrapper(
    options: str = "",
    *,
    skips: int = 0,
    assigns: bool = False,
    text: str | None = None,
    directory: str | None = None,
    scattered: bool = False,
) -> Wrapper:
    return Wrapper(parse_table(options), skips, assigns, text, directory, scattered)


_SUDO = (
    "A,askpass b,background B,bell C,close-from= D,chdir= E,preserve-env? e,edit g,group= H,set-home h,host= i,login "
    "k,reset-timestamp K,remove-timestamp l,list N,no-update n,non-interactive P,preserve-groups p,prompt= R,chroot= "
    "r,role= S,stdin s,shell T,command-timeout= t,type= U,other-user= u,user= V,version v,validate"
)
_SYSTEMD_RUN = (
    "H,host= M,machine= C,capsule= user system scope u,unit= p,property= description= slice= slice-inherit "
    "expand-environment= "
    "r,remain-after-exit send-sighup service-type= uid= gid= nice= working-directory= d,same-dir E,setenv= t,pty "
    "T,pty-late P,pipe S,shell q,quiet v,verbose G,collect no-block wait no-ask-password job-mode= ignore-failure "
    "background= path-property= socket-property= timer-property= on-active= on-boot= on-startup= on-unit-active= "
    "on-unit-inactive= on-calendar= on-clock-change on-timezone-change json= no-pager root-directory= R,same-root-dir"
)
_STRACE = (
    "c C d f F h i k n q? r t T v V w x y Y z Z A a,columns= b,detach-on= e,trace= E,env= I,interruptible= o,output= "
    "O,summary-syscall-overhead= p,attach= P,trace-path= s,string-limit= S,summary-sort-by= u,user= "
    "U,summary-columns= "
    "X,const-print-style= follow-forks output-separately decode-fds? decode-pids? successful-only "
    "failed-only daemonize? "
    "signal= status= quiet? inject= fault= kvm= raw= abbrev= verbose= read= write= stack-trace? seccomp-bpf "
    "summary-only "
    "summary summary-wall-clock absolute-timestamps? relative-timestamps? syscall-times? instruction-pointer "
    "syscall-number argv0= tips? strings-in-hex? no-abbrev debug"
)
_SU = (
    "m,preserve-environment p l,login c,command= session-command= f,fast g,group= G,supp-group= s,shell= "
    "P,pty T,no-pty u,user= "
    "w,whitelist-environment="
)

WRAPPERS: Mapping[str, Wrapper] = {
    "sudo": _wrapper(_SUDO, assigns=True, directory="chdir"),
    "doas": _wrapper("a= C= L n s u="),
    "pkexec": _wrapper("version disable-internal-agent help user= keep-cwd"),
    "env": _wrapper(
        "i,ignore-environment 0,null u,unset= C,chdir= S,split-string= v,debug block-signal? default-signal? "
        "ignore-signal? "
        "list-signal-handling a,argv0=",
        assigns=True,
        directory="chdir",
    ),
    "nohup": _wrapper(),
    "setsid": _wrapper("c,ctty f,fork w,wait"),
    "timeout": _wrapper("f,foreground k,kill-after= p,preserve-status s,signal= v,verbose", skips=1),
    "nice": _wrapper("n,adjustment="),
    "ionice": _wrapper("c,class= n,classdata= p,pid= P,pgid= u,uid= t,ignore"),
    "stdbuf": _wrapper("i,input= o,output= e,error="),
    "time": _wrapper("a,append f,format= o,output= p,portability v,verbose q,quiet V"),
    "strace": _wrapper(_STRACE),
    "ltrace": _wrapper("a= b c C d D= e= f F= h i l= L n= o= p= r s= S t T u= V w= x="),
    "xargs": _wrapper(
        "0,null a,arg-file= d,delimiter= E= e,eof? I= i,replace? L= l,max-lines? n,max-args= P,max-procs= "
        "p,interactive "
        "r,no-run-if-empty s,max-chars= t,verbose x,exit process-slot-var= show-limits o,open-tty"
    ),
    "flock": _wrapper(
        "c,command= e,x,exclusive s,shared u,unlock n,nb,nonblock w,wait,timeout= o,close "
        "E,conflict-exit-code= F,no-fork "
        "verbose fcntl",
        skips=1,
        text="command",
    ),
    "chrt": _wrapper(
        "a,all-tasks b,batch d,deadline e,ext f,fifo i,idle o,other r,rr R,reset-on-fork D,sched-deadline= "
        "P,sched-period= T,sched-runtime= m,max p,pid v,verbose",
        skips=1,
    ),
    "taskset": _wrapper("a,all-tasks c,cpu-list p,pid", skips=1),
    "setpriv": _wrapper(
        "d,dump nnp no-new-privs ambient-caps= inh-caps= bounding-set= list-caps ruid= euid= rgid= egid= "
        "reuid= regid= "
        "clear-groups keep-groups init-groups groups= securebits= selinux-label= apparmor-profile= landlock-access= "
        "landlock-rule= seccomp-filter= ptracer= pdeathsig= reset-env"
    ),
    "prlimit": _wrapper(
        "p,pid= o,output= noheadings raw verbose c,core? d,data? e,nice? f,fsize? i,sigpending? l,memlock? m,rss? "
        "n,nofile? q,msgqueue? r,rtprio? s,stack? t,cpu? u,nproc? v,as? x,locks? y,rttime?"
    ),
    "numactl": _wrapper(
        "a,all i,interleave= w,weighted-interleave= N,cpunodebind= C,physcpubind= m,membind= "
        "P,preferred-many= p,preferred= "
        "l,localalloc b,balancing"
    ),
    "setarch": _wrapper(
        "v,verbose R,addr-no-randomize F,fdpic-funcptrs Z,mmap-page-zero L X B I S T 3 4 uname-2.6", skips=1
    ),
    "linux64": _wrapper("v,verbose R,addr-no-randomize"),
    "linux32": _wrapper("v,verbose R,addr-no-randomize"),
    "cgexec": _wrapper("g= sticky"),
    "systemd-run": _wrapper(_SYSTEMD_RUN, directory="working-directory"),
    "systemd-inhibit": _wrapper("what= who= why= mode= list no-pager no-legend no-ask-password"),
    "systemd-cat": _wrapper("t,identifier= p,priority= stderr-priority= level-prefix= namespace="),
    "run0": _wrapper(
        "unit= property= description= slice= slice-inherit u,user= g,group= nice= D,chdir= setenv= "
        "background= machine= pty "
        "pipe shell-prompt-prefix= same-root-dir",
        directory="chdir",
    ),
    "su": _wrapper(_SU, text="command", scattered=True),
    "runuser": _wrapper(_SU, text="command"),
    "sg": _wrapper(skips=1),
    "script": _wrapper(
        "a,append B,log-io= c,command= e,return E,echo= f,flush force I,log-in= O,log-out= m,logging-format= "
        "o,output-limit= "
        "q,quiet t,timing? T,log-timing=",
        text="command",
        scattered=True,
    ),
    "watch": _wrapper(
        "b,beep c,color C,no-color d,differences? e,errexit f,follow g,chgexit q,equexit= n,interval= "
        "p,precise r,no-rerun "
        "s,shotsdir= t,no-title w,no-wrap x,exec"
    ),
    "unbuffer": _wrapper("p"),
    "gosu": _wrapper(skips=1),
    "su-exec": _wrapper(skips=1),
    "s6-setuidgid": _wrapper(skips=1),
    "tini": _wrapper("s p= g w v l e="),
    "dumb-init": _wrapper("c,single-child r,rewrite= v,verbose"),
    "catatonit": _wrapper("P,L g"),
    "fakeroot": _wrapper("l,lib= f,faked= i= s= u,unknown-is-real b,fd-base="),
    "proot": _wrapper("r,rootfs= b,bind= q,qemu= w,cwd= v,verbose= 0,root-id S= i,change-id="),
    "chronic": _wrapper("v e"),
    "proxychains": _wrapper("f= q"),
    "proxychains4": _wrapper("f= q"),
    "torsocks": _wrapper("i,isolate d,debug P,port= u,user= p,pass= a,address= q,quiet"),
    "screen": _wrapper("d D m S= c= e= h= l L Logfile= O p= q R r s= t= T= U v w X x a A f n", scattered=False),
    "daemonize": _wrapper("a c= e= E= o= p= l= u= v"),
    "flatpak-spawn": _wrapper(
        "host v,verbose forward-fd= clear-env watch-bus env= latest-version no-network sandbox directory="
    ),
    "distrobox-host-exec": _wrapper("Y,yes v,verbose"),
    "host-spawn": _wrapper("cwd= env= no-pty pty"),
    "lima": _wrapper(),
    "exec": _wrapper("c l a="),
    "command": _wrapper("p v V"),
    "builtin": _wrapper(),
    "eatmydata": _wrapper(),
    "catchsegv": _wrapper(),
    "busybox": _wrapper(),
    "toybox": _wrapper(),
    "k3s": _wrapper("debug d,data-dir= v,version"),
    "k0s": _wrapper("debug data-dir= v,verbose"),
    "rke2": _wrapper("debug"),
    "hyperkube": _wrapper(),
    "microk8s": _wrapper(),
    "minikube": _wrapper(
        "p,profile= b,bootstrapper= v,--v= alsologtostderr logtostderr rootless user= interactive ssh cluster="
    ),
    "tsh": _wrapper(
        "l,login= proxy= user= ttl= i,identity= cert-format= insecure auth= skip-version-check d,debug "
        "k,add-keys-to-agent= enable-escape-sequences bind-addr= J,jumphost= mlock= headless"
    ),
    "rancher": _wrapper("debug c,config="),
    "snap": _wrapper("shell command="),
    "coreutils": _wrapper(),
}

SHELLS = frozenset("sh bash dash ash zsh ksh mksh yash rbash fish busybox-sh".split())
# Of a shell: what takes a value beside -c.
SHELL_OPTIONS = parse_table(
    "c a b e f h i k l m n p r s t u v x B C D E H P T O,o= login norc noprofile noediting posix restricted verbose "
    "rcfile= init-file= debugger dump-strings"
)
INTERPRETERS = frozenset(("python", "python2", "python3", "perl", "ruby", "node", "php", "lua", "pypy3", "deno"))
# Of ld.so: what takes a value.
LOADER_OPTIONS = parse_table(
    "list verify inhibit-cache library-path= glibc-hwcaps-prepend= glibc-hwcaps-mask= inhibit-rpath= audit= "
    "preload= argv0= "
    "list-tunables list-diagnostics help version"
)
