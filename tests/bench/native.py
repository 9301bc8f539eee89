"""The small compiled programs that the benches need: made anew for each run, in a directory of their own."""

import shutil
import subprocess
from pathlib import Path

import click

BPF_FLAGS = ("-target", "bpf", "-mcpu=v3", "-O2", "-g")

# Ends at once and touches little: what is left of its run is the kernel's exec itself.
_TINY = "int main(void) { return 0; }\n"

# Execs one program many times, one after another, at a rate or at full speed. The words "@" in its arguments
# become the time, so that each exec is unlike all others and tells by itself when it was asked for.
_SPAWNER = r"""
#define _GNU_SOURCE
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* spawner COUNT RATE CPU PATH ARG...: prints the nanoseconds that all took. RATE 0: full speed; CPU -1: any. */
int main(int argc, char **argv)
{
    long count = atol(argv[1]);
    double rate = atof(argv[2]);
    int cpu = atoi(argv[3]);
    char **args = argv + 5, text[256][256];
    long long start, due;

    if (argc < 6 || argc > 250)
        return 2;
    if (cpu >= 0) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        if (sched_setaffinity(0, sizeof(set), &set))
            return 2;
    }
    start = due = now_ns(CLOCK_MONOTONIC);
    for (long i = 0; i < count; i++) {
        char *filled[256] = { 0 };
        pid_t pid;
        int status;

        if (rate > 0) {
            struct timespec at = { .tv_sec = due / 1000000000LL, .tv_nsec = due % 1000000000LL };

            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
            due += 1e9 / rate;
        }
        for (int n = 0; args[n]; n++) {
            char *mark = strchr(args[n], '@');

            filled[n] = args[n];
            if (!mark)
                continue;
            snprintf(text[n], sizeof(text[n]), "%.*s%lld%s", (int)(mark - args[n]), args[n],
                        now_ns(CLOCK_REALTIME), mark + 1);
            filled[n] = text[n];
        }
        if (posix_spawn(&pid, argv[4], NULL, NULL, filled, environ))
            return 1;
        waitpid(pid, &status, 0);
    }
    printf("%lld\n", now_ns(CLOCK_MONOTONIC) - start);
    return 0;
}
"""

# What every program at the tracepoint costs before it does anything.
_EMPTY = """
__attribute__((section("license"), used)) char LICENSE[] = "Dual BSD/GPL";

__attribute__((section("tp_btf/sched_process_exec"), used)) int empty(void *context)
{
	return 0;
}
"""


class Native:
    """Programs in one directory: `spawner`, `empty` (a BPF object), and copies of a tiny one under any name."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self._spawner = self._compile("spawner", _SPAWNER)
        self._tiny = self._compile("tiny", _TINY, "-static")

    def name_tiny(self, name):
        """Give the path of the tiny program under that name."""
        path = self.directory / "bin" / name
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            shutil.copy(self._tiny, path)
        return str(path)

    def compile_empty(self):
        """Give the path of a BPF object with nothing but a program that does nothing."""
        source = self.directory / "empty.bpf.c"
        source.write_text(_EMPTY)
        _run("clang", *BPF_FLAGS, "-c", source, "-o", source.with_suffix(".o"))
        return source.with_suffix(".o")

    def start(self, count, path, *args, rate=0, cpu=-1):
        """Start to exec `path` so often; see the source for `rate`, `cpu` and the arguments."""
        command = [self._spawner, str(count), str(rate), str(cpu), path, *args]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def spawn(self, count, path, *args, **options):
        """Do so until the end; gives the nanoseconds of one exec."""
        return finish(self.start(count, path, *args, **options)) / count

    def _compile(self, name, text, *flags):
        source = self.directory / f"{name}.c"
        source.write_text(text)
        _run("gcc", "-O2", *flags, "-o", self.directory / name, source)
        return self.directory / name


def finish(spawner):
    """Wait for a spawner's end; gives the nanoseconds it took."""
    text, _ = spawner.communicate()
    if spawner.returncode:
        raise click.ClickException(f"the spawner ended with {spawner.returncode}")
    return int(text)


def _run(*command):
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        raise click.ClickException(f"needs {command[0]}; on Debian: apt-get install clang gcc libc6-dev") from None
