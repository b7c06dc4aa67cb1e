# SPDX-License-Identifier: Apache-2.0
"""Programs that a preload does not reach, or reaches in part: privileged, static, 32-bit, sandboxed, sanitized,
with plugins loaded apart, or with a malloc of their own."""

import time

from program import need, wait_until
from rows import row



def as_nobody(*command):
    return [need("setpriv"), "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]


@row("setuid", "sudo passwd login util-linux", "sudo, su and passwd as root; passwd -S as nobody", quick=True)
def setuid(program):
    outcome = {"sudo": program.run(need("sudo"), "-n", "-u", "nobody", "/usr/bin/id", "-un"),
               "su": program.run(need("su"), "-s", "/bin/sh", "nobody", "-c", "id -un; exit 5"),
               "passwd": program.run(*as_nobody(need("passwd"), "-S", "nobody"), cwd="/"),
               "sudo as nobody": program.run(*as_nobody(need("sudo"), "-n", "/usr/bin/id"), cwd="/")}
    # The day of the last change of a password.
    outcome["passwd"] = (outcome["passwd"][0], outcome["passwd"][1].split()[:2])
    return outcome


@row("static", "busybox-static gcc", "a static busybox and a static program with threads", reads=False, quick=True)
def static(program):
    program.write("t.c", "#include <pthread.h>\n#include <stdlib.h>\n#include <stdio.h>\nstatic void* work(void* p) { for (int i = 0; i < 100000; ++i) "
                  "free(malloc(i % 3000)); return p; }\nint main(void) { pthread_t t[4]; for (int i = 0; i < 4; ++i) pthread_create(&t[i], 0, work, 0);"
                  " for (int i = 0; i < 4; ++i) pthread_join(t[i], 0); puts(\"done\"); return 4; }\n")
    program.outside_run(need("gcc"), "-static", "-pthread", "t.c", "-o", "t")
    return {"busybox": program.run(need("busybox"), "sh", "-c", "seq 1 1000 | sort -n | sha256sum; exit 6"), "program": program.run(program.path("t"))}


@row("i386", "gcc-multilib", "32-bit programs as children of a shell: ld.so leaves the shim out", quick=False)
def i386(program):
    need("/usr/lib/gcc/x86_64-linux-gnu/12/32/libgcc.a")
    program.write("t.c", "#include <stdlib.h>\n#include <stdio.h>\nint main(void) { for (int i = 0; i < 1000; ++i) free(malloc(i)); printf(\"%zu\\n\", sizeof(void*)); return 3; }\n")
    program.outside_run(need("gcc"), "-m32", "t.c", "-o", "t")
    return {"run": program.run("/bin/bash", "-c", "./t; echo $?; (./t | cat); seq 1 3")}


@row("deepbind", "gcc", "a plugin loaded with RTLD_DEEPBIND, its blocks freed by the program and the other way round", quick=True, counted=False)
def deepbind(program):
    """glibc's blocks freed by another allocator kill a program with that allocator preloaded too."""
    program.write("plugin.c", "#include <stdlib.h>\n#include <string.h>\nvoid* make(int n) { void* p = malloc(n); memset(p, 7, n); return p; }\nvoid end(void* p) { free(p); }\n")
    program.write("main.c", "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\n#include <stdlib.h>\nint main(int c, char** v) { void* h = dlopen(\"./plugin.so\", RTLD_NOW | RTLD_DEEPBIND);"
                  " void* (*make)(int) = (void* (*)(int))dlsym(h, \"make\"); void (*end)(void*) = (void (*)(void*))dlsym(h, \"end\"); int sum = 0;"
                  " for (int i = 1; i < 20000; ++i) { char* p = make(i % 3000 + 1); sum += *p; if (c > 1) free(p); else end(p); if (c > 1) end(malloc(i % 3000)); }"
                  " dlclose(h); printf(\"%d\\n\", sum); return 2; }\n")
    program.outside_run(need("gcc"), "-shared", "-fPIC", "plugin.c", "-o", "plugin.so")
    program.outside_run(need("gcc"), "main.c", "-o", "main")
    return {"apart": program.run(program.path("main")), "crossed": program.run(program.path("main"), "crossed")}


@row("own-malloc", "gcc libjemalloc-dev", "a program with jemalloc linked into it, and one linked to jemalloc's library")
def own_malloc(program):
    program.write("t.c", "#include <pthread.h>\n#include <stdlib.h>\n#include <stdio.h>\n#include <string.h>\nstatic void* work(void* p) { void* k[50] = {0}; for (int i = 0; i < 100000; ++i) "
                  "{ free(k[i % 50]); k[i % 50] = calloc(1, i % 3000 + 1); } for (int i = 0; i < 50; ++i) free(k[i]); free(strdup(\"x\")); return p; }\nint main(void) { pthread_t t[4]; for (int i = 0; i < 4; ++i) "
                  "pthread_create(&t[i], 0, work, 0); for (int i = 0; i < 4; ++i) pthread_join(t[i], 0); puts(\"done\"); return 4; }\n")
    program.outside_run(need("gcc"), "-pthread", "t.c", "-o", "inside", "-Wl,--whole-archive", "/usr/lib/x86_64-linux-gnu/libjemalloc_pic.a", "-Wl,--no-whole-archive",
                        "-rdynamic", "-lm", "-lstdc++")
    program.outside_run(need("gcc"), "-pthread", "t.c", "-o", "beside", "-ljemalloc")
    return {"inside": program.run(program.path("inside")), "beside": program.run(program.path("beside"))}


@row("sanitized", "clang libclang-rt-14-dev", "a program under the address sanitizer that is right, and one that overflows")
def sanitized(program):
    program.write("t.c", "#include <stdlib.h>\n#include <stdio.h>\nint main(int c, char** v) { char* p = malloc(10); p[9 + c - 1] = 1; printf(\"%d\\n\", p[c]); free(p); return 3; }\n")
    program.outside_run(need("clang"), "-O0", "-fsanitize=address", "t.c", "-o", "t")
    return {"right": program.run(program.path("t"))[0], "overflow": program.run(program.path("t"), "1")[0]}


@row("sandbox", "bubblewrap", "programs in user, pid and mount name spaces, with the shim bound in or left out", says="recording in memory instead")
def sandbox(program):
    """Inside there is no folder for recordings."""
    return {"run": program.run(need("bwrap"), "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--chdir", "/",
                               "/bin/sh", "-c", "seq 1 2000 | sort -n | sha256sum; exit 3", cwd="/")}


@row("limits", "bash util-linux", "programs under ulimit -f, -v, -n and -u, without /proc, and chrooted", quick=True, says="recording in memory instead|cannot record")
def limits(program):
    """Where no file may be made or found the shim says that it records in memory."""
    work = "seq 1 2000 | sort -n | sha256sum; ls / | wc -l; exit 3"
    outcome = {limit: program.run("/bin/bash", "-c", f"ulimit {limit}; {work}") for limit in ("-f 1", "-v 300000", "-n 8", "-s 200")}
    outcome["-f 1, no file"] = program.run("/bin/bash", "-c", f"unset OFFHEAP_RECORD; ulimit -f 1; {work}")
    outcome["closed"] = program.run("/bin/bash", "-c", f"exec 2>&-; {work}")
    outcome["no proc"] = program.run(need("unshare"), "-m", "/bin/sh", "-c", f"mount -t tmpfs none /proc; {work}")
    outcome["env -i"] = program.run("/usr/bin/env", "-i", "/bin/sh", "-c", work)
    return outcome


INJECTED = """import hashlib, os, threading, time
def work(seed, out):
    total = 0
    for n in range(300):
        words = [str(n * seed % 9973) * 3 for n in range(2000)]
        total += len(hashlib.sha256(' '.join(words).encode()).hexdigest()) + len(set(words))
    out.append(total)
    while not os.path.exists('enough'):
        [str(n) for n in range(1000)]
out = []
threads = [threading.Thread(target=work, args=(seed, out)) for seed in (3, 5, 7)]
[thread.start() for thread in threads]
print('ready', flush=True)
[thread.join() for thread in threads]
print('total', sorted(out), flush=True)
"""


@row("inject", "python3", "offheap attach --inject into python, explain and --detach, twice, while its threads work", preloaded=False)
def inject(program):
    source, output = program.write("work.py", INJECTED), program.path("out.txt")
    process = program.start(need("/usr/bin/python3"), source, output=output, PYTHONMALLOC="malloc")
    wait_until("ready", lambda: "ready" in output.read_text(), 30)
    if "ROW_BACKEND" in program.environment:
        for words in 2 * (("attach", "--inject", process.pid), ("explain", process.pid),
                          ("attach", "--inject", process.pid, "--detach")):
            program.run(program.build.offheap, *words, check=True)
            time.sleep(0.3)
    program.write("enough", "")
    return {"status": process.wait(60), "said": output.read_text()}
