"""The options of the OCI runtimes: runc 1.1-1.3 and kata (urfave/cli), crun 1.x (argp), youki (clap), runsc."""

from agent.intent.options import parse_commands

# runc moves options before the words of every command but exec: `runc run ID -b DIR` is read as well.
_RUNC = """
run: b,bundle= console-socket= d,detach keep no-new-keyring no-pivot no-subreaper pid-file= pidfd-socket=
 preserve-fds=
create: b,bundle= console-socket= no-new-keyring no-pivot pid-file= pidfd-socket= preserve-fds=
restore: auto-dedup b,bundle= console-socket= d,detach empty-ns= ext-unix-sk file-locks image-path= lazy-pages
 lsm-mount-context= lsm-profile= manage-cgroups-mode= no-pivot no-subreaper pid-file= shell-job tcp-established
 tcp-skip-in-flight link-remap work-path=
exec !: g,additional-gids= apparmor= c,cap= cgroup= console-socket= cwd= d,detach e,env= ignore-paused no-new-privs
 pid-file= pidfd-socket= preserve-fds= process-label= p,process= t,tty u,user=
checkpoint: auto-dedup empty-ns= ext-unix-sk file-locks image-path= lazy-pages leave-running manage-cgroups-mode=
 page-server= parent-path= pre-dump shell-job status-fd= tcp-established tcp-skip-in-flight link-remap work-path=
delete: f,force
events: interval= stats
kill: a,all
list: f,format= q,quiet
ps: f,format=
spec: b,bundle= rootless
update: blkio-weight= cpu-burst= cpu-idle= cpu-period= cpu-quota= cpu-rt-period= cpu-rt-runtime= cpu-share=
 cpuset-cpus= cpuset-mems= kernel-memory= kernel-memory-tcp= l3-cache-schema= mem-bw-schema= memory=
 memory-reservation= memory-swap= pids-limit= r,resources=
start:
state:
pause:
resume:
features:
init:
"""

RUNC = parse_commands(
    _RUNC,
    options="criu= debug log= log-format= root= rootless= systemd-cgroup kata-config,config= rootfs= "
    "show-default-config-paths h,help v,version",
)

_CRUN = """
run !: b,bundle= f,config= console-socket= d,detach no-new-keyring no-pivot no-subreaper pid-file= preserve-fds=
create !: b,bundle= f,config= console-socket= no-new-keyring no-pivot no-subreaper pid-file= preserve-fds=
exec !: apparmor= c,cap= cgroup= console-socket= cwd= d,detach e,env= no-new-privs pid-file= preserve-fds=
 process-label= p,process= t,tty? u,user=
restore !: b,bundle= console-socket= d,detach ext-unix-sk file-locks image-path= lsm-mount-context= lsm-profile=
 manage-cgroups-mode= pid-file= shell-job tcp-established work-path=
checkpoint !: ext-unix-sk file-locks image-path= leave-running manage-cgroups-mode= parent-path= pre-dump shell-job
 tcp-established work-path=
delete !: f,force r,regex
kill !: a,all r,regex
list !: f,format= q,quiet
ps !: f,format=
spec !: b,bundle= f,file= rootless
update !: blkio-weight= cpu-period= cpu-quota= cpu-rt-period= cpu-rt-runtime= cpu-share= cpuset-cpus= cpuset-mems=
 kernel-memory= kernel-memory-tcp= memory= memory-reservation= memory-swap= pids-limit= r,resources=
 l3-cache-schema= mem-bw-schema=
start !:
state !:
pause !:
unpause !:
mounts !:
features !:
"""

CRUN = parse_commands(
    _CRUN, options="cgroup-manager= debug log= log-format= log-level= root= rootless= systemd-cgroup v,V,version"
)

_YOUKI = """
run: b,bundle= console-socket= d,detach keep no-new-keyring no-pivot no-subreaper p,pid-file= preserve-fds=
create: b,bundle= console-socket= no-new-keyring no-pivot p,pid-file= preserve-fds=
exec !: console-socket= cwd= e,env= t,tty u,user= g,additional-gids= p,process= d,detach pid-file= process-label=
 apparmor= no-new-privs cap= preserve-fds= ignore-paused cgroup=
spec: rootless b,bundle=
delete: f,force
kill: a,all
start:
state:
list:
ps:
pause:
resume:
events:
info:
features:
checkpoint:
update:
"""

YOUKI = parse_commands(_YOUKI, options="l,log= debug log-format= log-level= r,root= s,systemd-cgroup h,help V,version")

_RUNSC = """
run !: bundle= console-socket= detach pass-fd= exec-fd= pid-file= user-log=
create !: bundle= console-socket= pid-file= user-log=
restore !: bundle= console-socket= detach image-path= pid-file=
exec !: apparmor= cap= clear-status console-socket= cwd= detach env= exec-fd= internal-pid-file= no-new-privs pass-fd=
 pid-file= process= process-label= stream-ctrl t,tty u,user=
do !: cwd= ip= overlay quiet root= uid-map= gid-map= volume=
start:
state:
list:
ps:
pause:
resume:
delete:
kill:
checkpoint:
events:
spec:
debug:
"""

RUNSC = parse_commands(
    _RUNSC,
    options="allow-flag-override alsologtostderr cpu-num-from-quota debug debug-command= debug-log= debug-log-format= "
    "file-access= host-uds= ignore-cgroups log= log-format= log-packets net-raw network= num-network-channels= "
    "nvproxy overlay overlay2= platform= profile root= rootless strace strace-syscalls= systemd-cgroup "
    "TESTONLY-unsafe-nonroot "
    "traceback= watchdog-action= version",
)
