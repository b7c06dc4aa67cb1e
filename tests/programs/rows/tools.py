# SPDX-License-Identifier: Apache-2.0
"""Tools: version control, compilers, archivers, media, cryptography, debuggers."""

import hashlib
import pathlib
import re
import shutil
import time

from program import free_port, need, wait_for_port
from rows import row

SOURCES = pathlib.Path(__file__).resolve().parents[3]


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()[:16]


def lines_of(program, name, count):
    return program.write(name, "".join(f"{n * 7919 % 1000003} {n}\n" for n in range(count)))


@row("git", "git", "commits, clone, threaded repack, gc, fsck, blame and grep of a repository made here", quick=True)
def git(program):
    git_path, work = need("git"), program.path("work")
    work.mkdir()
    fixed = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
             for what, value in (("NAME", "n"), ("EMAIL", "n@localhost"), ("DATE", "2020-01-01T00:00:00Z"))}

    def run(*words, cwd=work):
        return program.run(git_path, "-c", "pack.threads=3", *words, cwd=cwd, check=True, **fixed)[1]

    run("init", "-q", "-b", "main")
    for n in range(8):
        for name in range(20):
            program.write(f"work/d{name % 5}/f{name}.txt", "".join(f"{(n * line + name) % 997}\n" for line in range(400)))
        run("add", "-A")
        run("commit", "-q", "-m", f"number {n}")
    clone = program.path("clone")
    run("clone", "-q", f"file://{work}", clone, cwd=program.directory)
    run("repack", "-adfq", "--depth=20", "--window=50", cwd=clone)
    run("gc", "-q", "--aggressive", "--prune=now", cwd=clone)
    return {"head": run("rev-parse", "HEAD", cwd=clone).strip(), "fsck": run("fsck", "--full", "--no-progress", cwd=clone),
            "objects": run("rev-list", "--objects", "--all", "--count", cwd=clone).strip(),
            "blame": hashlib.sha256(run("blame", "d0/f0.txt", cwd=clone).encode()).hexdigest()[:16],
            "grep": len(run("grep", "-c", "99", cwd=clone))}


def compile_all(program, compiler, sources, *options):
    """One digest of all objects."""
    names = []
    for source in sources:
        names.append(program.path(source.stem + ".o"))
        program.run(compiler, "-std=c++20", "-O2", "-fPIC", "-fno-exceptions", "-fno-rtti", f"-I{SOURCES}",
                    f"-ffile-prefix-map={SOURCES}=.", "-frandom-seed=1", *options, "-c", source, "-o", names[-1], check=True)
    return hashlib.sha256("".join(digest(name) for name in names).encode()).hexdigest()[:16]


@row("gcc", "g++", "compiles a part of libshim: objects equal byte for byte")
def gcc(program):
    sources = sorted(SOURCES.glob("libshim/*.cc"))[:8]
    return {"sources": len(sources), "objects": compile_all(program, need("g++"), sources)}


@row("clang", "clang", "compiles a part of libshim: objects equal byte for byte")
def clang(program):
    sources = sorted(SOURCES.glob("libshim/sampling/*.cc"))
    return {"sources": len(sources), "objects": compile_all(program, need("clang++"), sources)}


@row("gcc-lto", "g++ make", "links with LTO in 2 processes, a jobserver of make, as and ld: a program equal byte for byte", quick=True)
def gcc_lto(program):
    for n in range(4):
        program.write(f"part{n}.cc", f"#include <map>\n#include <string>\nint part{n}(int n) {{ std::map<int, std::string> m; "
                      f"for (int i = 0; i < n; ++i) m[i * {n + 3} % 101] = std::to_string(i); int s = 0; for (auto& e : m) "
                      "s += e.first + e.second.size(); return s; }\n")
    program.write("main.cc", "int part0(int); int part1(int); int part2(int); int part3(int); int main() "
                  "{ return (part0(99) + part1(98) + part2(97) + part3(96)) % 200; }\n")
    program.write("Makefile", "all: main.o part0.o part1.o part2.o part3.o\n\t+g++ -flto=jobserver -O2 $^ -o all\n"
                  "%.o: %.cc\n\tg++ -flto -O2 -frandom-seed=$* -c $< -o $@\n")
    program.run(need("make"), "-j2", "-s", "all", check=True)
    status, _ = program.run(program.path("all"))
    return {"status": status}


@row("cmake", "cmake ninja-build", "configures and builds a project with ninja, and runs its tests")
def cmake(program):
    program.write("p/CMakeLists.txt", "cmake_minimum_required(VERSION 3.20)\nproject(p C)\nenable_testing()\nforeach(n RANGE 40)\n"
                  "file(WRITE ${CMAKE_BINARY_DIR}/s${n}.c \"int main(void) { return ${n} / 100; }\")\n"
                  "add_executable(e${n} ${CMAKE_BINARY_DIR}/s${n}.c)\nadd_test(NAME t${n} COMMAND e${n})\nendforeach()\n")
    program.run(need("cmake"), "-G", "Ninja", "-S", "p", "-B", "b", check=True)
    program.run(need("cmake"), "--build", "b", check=True)
    status, out = program.run(need("ctest"), "--test-dir", "b", "-j2")
    return {"status": status, "tests": re.search(r"\d+% tests passed.*", out)[0]}


@row("openssl", "openssl", "keys, certificates, signatures, encryption, digests in child processes")
def openssl(program):
    path = need("openssl")
    text = lines_of(program, "text", 40000)
    program.run(path, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=n", "-keyout", "key",
                "-out", "certificate", check=True)
    program.run(path, "dgst", "-sha256", "-sign", "key", "-out", "signature", text, check=True)
    program.run(path, "x509", "-in", "certificate", "-pubkey", "-noout", "-out", "public", check=True)
    public = program.run(path, "x509", "-in", "certificate", "-pubkey", "-noout")[1]
    program.write("public", public)
    verified = program.run(path, "dgst", "-sha256", "-verify", "public", "-signature", "signature", text)[1]
    program.run(path, "enc", "-aes-256-cbc", "-pbkdf2", "-S", "0011223344556677", "-k", "word", "-in", text, "-out", "packed", check=True)
    speed = program.run(path, "speed", "-seconds", "1", "-multi", "2", "sha256")[0]
    return {"verified": verified.strip(), "packed": digest(program.path("packed")), "speed": speed}


@row("ssh-keygen", "openssh-client", "makes keys, signs and checks a file")
def ssh_keygen(program):
    path = need("ssh-keygen")
    outcome = {kind: program.run(path, "-q", "-t", kind, "-N", "", "-f", program.path(kind))[0] for kind in ("ed25519", "ecdsa", "rsa")}
    program.write("text", "words\n")
    outcome["sign"] = program.run(path, "-Y", "sign", "-n", "file", "-f", program.path("ed25519"), program.path("text"))[0]
    return outcome


@row("sshd", "openssh-server openssh-client", "a login with a key, its sandboxed children, commands, sftp", says="recording in memory instead")
def sshd(program):
    """The part before the login is in a sandbox where no file can be opened or grow, hence what the shim may say."""
    port = free_port()
    for name in ("host", "user"):
        program.outside_run(need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", program.path(name))
    shutil.copy(program.path("user.pub"), program.path("allowed"))
    conf = program.write("sshd_config", f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {program.path('host')}\nPidFile none\nUsePAM no\n"
                         f"AuthorizedKeysFile {program.path('allowed')}\nStrictModes no\nPermitRootLogin yes\n"
                         "PrintMotd no\nPrintLastLog no\nSubsystem sftp /usr/lib/openssh/sftp-server\nLogLevel DEBUG\n")
    # Its folder under /run is made in a name space of its own, which ends with it.
    server = program.start("/usr/bin/unshare", "-m", "/bin/sh", "-c", f"mount -t tmpfs none /run && mkdir /run/sshd && exec {need('sshd')} -D -e -f {conf}")
    wait_for_port(port, server)
    options = ["-F", "none", "-i", program.path("user"), "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={program.path('known')}",
               "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]
    runs = [program.run(need("ssh"), *options, "-p", port, "root@127.0.0.1", "seq 1 20000 | sha256sum; exit 7") for _ in range(3)]
    text = lines_of(program, "text", 50000)
    copied = program.run(need("scp"), *options, "-P", port, text, f"root@127.0.0.1:{program.path('copied')}")[0]
    equal = copied == 0 and digest(text) == digest(program.path("copied"))
    return {"runs": runs, "copied": equal, "status": program.stop(server)}


@row("archivers", "xz-utils zstd pigz bzip2 tar", "tar, xz, zstd and pigz with threads, there and back")
def archivers(program):
    text = lines_of(program, "text", 200000)
    outcome = {}
    for name, words in (("xz", ("-T2", "-1")), ("zstd", ("-T2", "-9")), ("pigz", ("-p3", "-n")), ("bzip2", ())):
        path = need(name)
        program.run("/bin/sh", "-c", f"{path} {' '.join(words)} -c <{text} >packed.{name} && {path} -dc <packed.{name} >back.{name}", check=True)
        outcome[name] = digest(program.path(f"back.{name}")) == digest(text) and digest(program.path(f"packed.{name}"))
    outcome["tar"] = program.run("/bin/sh", "-c", "tar --sort=name --mtime=@0 --owner=0 --group=0 -cf - text back.* | sha256sum")[1][:16]
    return outcome


@row("coreutils", "coreutils gawk grep sed findutils diffutils", "sort with threads, join, uniq, awk, grep, sed, find, xargs -P, diff")
def coreutils(program):
    lines_of(program, "text", 200000)
    text = ("sort --parallel=3 -n text | sha256sum; sort -R --random-source=text text | wc -l; awk '{s[$1%997]+=$2} END {for (k in s) t+=s[k]; print t}' text; "
            "grep -cE '([0-9])\\1' text; sed -n 's/1\\([0-9]*\\)/\\1/p' text | cksum; seq 1 300 | xargs -P3 -n5 echo | wc -w; "
            "find . -name 'te*' -exec cat {} + | md5sum; sort text >a; sort -r text >b; diff a b | wc -l; tac text | rev | fold -w 7 | uniq -c | tail -1")
    status, out = program.run("/bin/bash", "-c", text)
    return {"status": status, "out": out}


@row("imagemagick", "imagemagick", "makes, turns, blurs and writes an image with OpenMP threads")
def imagemagick(program):
    path = need("convert")
    status, out = program.run(path, "-seed", "7", "-size", "900x900", "plasma:red-blue", "-rotate", "30", "-blur", "0x4", "-resize", "50%", "-depth", "8", "-strip",
                              "-define", "png:exclude-chunks=date,time", "out.png", MAGICK_THREAD_LIMIT=3)
    return {"status": status, "signature": program.run(need("identify"), "-format", "%w %h %#", "out.png")[1]}


@row("ffmpeg", "ffmpeg", "makes a film of two seconds, encodes it with threads, decodes it: sums of its frames")
def ffmpeg(program):
    path = need("ffmpeg")
    status, _ = program.run(path, "-v", "error", "-f", "lavfi", "-i", "testsrc=d=2:s=320x240", "-f", "lavfi", "-i", "sine=d=2", "-c:v", "libx264", "-threads", "3",
                            "-preset", "veryfast", "-c:a", "aac", "out.mkv")
    decoded, sums = program.run(path, "-v", "error", "-i", "out.mkv", "-map", "0:v", "-f", "framemd5", "-")
    return {"status": status, "decoded": decoded, "sums": hashlib.sha256(sums.encode()).hexdigest()[:16], "frames": sums.count("\n")}


@row("rsync", "rsync", "copies a tree, changes it, copies the difference")
def rsync(program):
    for n in range(300):
        program.write(f"from/d{n % 7}/f{n}", f"{n}\n" * (n * 20))
    runs = [program.run(need("rsync"), "-a", "--checksum", "-z", "from/", "to")[0]]
    program.write("from/d0/f0", "other\n")
    runs.append(program.run(need("rsync"), "-a", "--delete", "--checksum", "from/", "to")[0])
    return {"status": runs, "difference": program.run("/usr/bin/diff", "-r", "from", "to")}


@row("gdb", "gdb", "runs a program to a breakpoint and calls malloc in it")
def gdb(program):
    program.write("t.c", "#include <stdlib.h>\nint main(void) { void* p = malloc(10); free(p); return 3; }\n")
    program.outside_run(need("gcc"), "-g", "t.c", "-o", "t")
    status, out = program.run(need("gdb"), "-batch", "-nx", "-ex", "set debuginfod enabled off", "-ex", "break main", "-ex", "run", "-ex", "print (((void*(*)(long))malloc)(100) != 0)",
                              "-ex", "continue", "./t")
    return {"status": status, "said": re.findall(r"^\$1 = 1|exited with code 03", out, re.M)}


@row("tmux", "tmux", "a daemon that forks twice, a session in it, its output, its end")
def tmux(program):
    path, socket_path = need("tmux"), program.path("socket")
    program.run(path, "-S", socket_path, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "20", "seq 1 5; exec sleep 60", check=True, TERM="screen")
    time.sleep(1.5)
    said = program.run(path, "-S", socket_path, "capture-pane", "-p", TERM="screen")[1].split()
    return {"said": said, "status": program.run(path, "-S", socket_path, "kill-server", TERM="screen")[0]}


STRESSORS = "malloc mmap fork vfork clone pthread sigsegv brk mremap shm-sysv dynlib exec daemon stack bigheap vm"


@row("stress-ng", "stress-ng", "its stressors of memory and processes, each verified, a second each")
def stress_ng(program):
    outcome = {}
    for name in STRESSORS.split():
        extra = ["--bigheap-bytes", "64M"] if name == "bigheap" else ["--vm-bytes", "64M"] if name == "vm" else []
        outcome[name] = program.run(need("stress-ng"), f"--{name}", "1", "-t", "1", "--verify", "--oom-avoid", *extra,
                                    "--temp-path", program.directory, timeout=40)[0]
    return outcome
