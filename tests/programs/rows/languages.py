# SPDX-License-Identifier: Apache-2.0
"""Interpreters and runtimes, each with a script of rows/scripts that uses threads, fork, exec and much memory."""

import pathlib

from program import need
from rows import row

SCRIPTS = pathlib.Path(__file__).resolve().parent / "scripts"


def script(program, *command, **more):
    status, out = program.run(*command, **more)
    return {"status": status, "out": out.strip()}


@row("perl", "perl", "a script: threads, fork, exec, regular expressions, a million hash entries", quick=True)
def perl(program):
    return script(program, need("/usr/bin/perl"), SCRIPTS / "work.pl")


@row("ruby", "ruby", "a script: threads, fibers, fork, exec, GC.stress, GC.compact")
def ruby(program):
    return script(program, need("ruby"), SCRIPTS / "work.rb")


@row("node", "nodejs", "a script: worker threads, child processes, zlib, crypto, WebAssembly memory")
def node(program):
    return script(program, need("node"), SCRIPTS / "work.js")


@row("php", "php-cli", "a script: arrays, regular expressions, fork, sorting, serialising")
def php(program):
    return script(program, need("php"), "-d", "memory_limit=1G", SCRIPTS / "work.php")


@row("lua", "lua5.4", "a script: a million tables, coroutines, strings")
def lua(program):
    return script(program, need("lua5.4"), SCRIPTS / "work.lua")


@row("guile", "guile-3.0", "a script: threads under the Boehm collector, which stops them with signals")
def guile(program):
    return script(program, need("guile"), "--no-auto-compile", SCRIPTS / "work.scm")


@row("sbcl", "sbcl", "a script: a collector that works with SIGSEGV, foreign malloc and free, threads")
def sbcl(program):
    return script(program, need("sbcl"), "--noinform", "--non-interactive", "--no-userinit", "--no-sysinit", "--load",
                  SCRIPTS / "work.lisp")


@row("erlang", "erlang-base", "an expression: ten thousand processes, and its own allocators")
def erlang(program):
    expression = ("Me = self(), Ps = [spawn(fun() -> Me ! {self(), erlang:phash2(lists:reverse(lists:seq(1, N rem 500)))} "
                  "end) || N <- lists:seq(1, 10000)], S = lists:sum([receive {P, H} -> H end || P <- Ps]), "
                  "io:format(\"~p ~p~n\", [S, erlang:phash2(zlib:compress(binary:copy(<<\"offheap\">>, 200000)))]), halt().")
    return script(program, need("erl"), "-noshell", "-eval", expression)


@row("go", "golang-go", "builds and runs a program with cgo: goroutines that call malloc and free, on stacks of its own")
def go(program):
    source = program.write("work/main.go", (SCRIPTS / "work.go").read_text())
    program.run(need("go"), "build", "-o", "work", source.name, cwd=source.parent, check=True,
                GOCACHE=program.path("cache"), GOPATH=program.path("gopath"), GO111MODULE="off", CGO_ENABLED=1)
    return script(program, program.path("work/work"))




@row("bash", "bash", "a script: ten thousand arrays, subshells, pipes, traps, jobs, here documents", quick=True)
def bash(program):
    return script(program, need("/bin/bash"), SCRIPTS / "work.sh")


@row("zsh", "zsh", "the same script in another shell")
def zsh(program):
    return script(program, need("zsh"), "-f", SCRIPTS / "work.sh")
