# SPDX-License-Identifier: Apache-2.0
"""Databases under load, with their snapshots, restarts and recoveries."""

import os
import re
import shutil
import signal
import socket

from program import free_port, need, wait_for_port, wait_until
from rows import row


class Redis:
    """A redis-server of the run, and its command line."""

    def __init__(self, program, *options):
        self.program, self.port = program, free_port()
        self.process = program.start(need("redis-server"), "--port", self.port, "--bind", "127.0.0.1", "--save", "",
                                     "--dir", program.directory, "--enable-debug-command", "yes", *options)
        wait_for_port(self.port, self.process)
        wait_until("what was saved", lambda: self.info("loading") == "0")

    def ask(self, *words, said=None):
        return self.program.outside_run(need("redis-cli"), "-p", self.port, *words, said=said).strip()

    def info(self, name):
        found = re.search(rf"^{name}:(\S*)", self.ask("INFO"), re.M)
        return found[1] if found else None

    def stop(self):
        return self.program.stop(self.process)


def fill(redis, count):
    """Strings, lists, hashes and sorted sets, the same in every run."""
    lines = []
    for n in range(count):
        lines += [f"SET string:{n} {'v' * (n % 400 + 1)}", f"RPUSH list:{n % 997} {n}", f"HSET hash:{n % 499} f{n} {n * 7}",
                  f"ZADD sorted:{n % 251} {n} m{n}"]
    redis.ask("--pipe", said="".join(line + "\r\n" for line in lines))


def redis_work(program, keys, requests, *options):
    redis = Redis(program, "--appendonly", "yes", *options)
    fill(redis, keys)
    bench = program.run(need("redis-benchmark"), "-p", redis.port, "--dbnum", "9", "-n", requests, "-c", "20", "-q",
                        "-t", "set,get,incr,lpush,lpop,sadd,hset,zadd,mset", "-r", "5000")[0]
    redis.ask("BGSAVE")
    program.run(need("redis-benchmark"), "-p", redis.port, "--dbnum", "9", "-n", requests, "-q", "-t", "set,lpush")
    wait_until("BGSAVE", lambda: redis.info("rdb_bgsave_in_progress") == "0")
    saved = redis.info("rdb_last_bgsave_status")
    redis.ask("BGREWRITEAOF")
    wait_until("BGREWRITEAOF", lambda: redis.info("aof_rewrite_in_progress") == "0")
    rewritten = redis.info("aof_last_bgrewrite_status")
    redis.ask("-n", "9", "FLUSHDB", "ASYNC")
    digest = redis.ask("DEBUG", "DIGEST")
    redis.ask("MEMORY", "PURGE")
    redis.ask("MEMORY", "DOCTOR")
    outcome = {"benchmark": bench, "bgsave": saved, "aof": rewritten, "digest": digest, "status": redis.stop()}
    again = Redis(program, "--appendonly", "yes")
    outcome["after restart"] = again.ask("DEBUG", "DIGEST") == digest
    outcome["status again"] = again.stop()
    return outcome


@row("redis", "redis-server redis-tools", "redis-benchmark, BGSAVE and AOF rewrite under load, restart, digests")
def redis(program):
    return redis_work(program, 20000, 20000, "--io-threads", "2")


@row("redis-quick", "redis-server redis-tools", "the same with less", quick=True)
def redis_quick(program):
    return redis_work(program, 2000, 2000)


def as_user(user, *command):
    return [need("setpriv"), f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]


class Postgres:
    BIN = "/usr/lib/postgresql/15/bin"

    def __init__(self, program):
        self.program, self.port = program, free_port()
        self.data = program.path("data")
        need(f"{self.BIN}/postgres")
        self.data.mkdir(mode=0o700)
        shutil.chown(self.data, "postgres", "postgres")
        program.run(*as_user("postgres", f"{self.BIN}/initdb", "-D", self.data, "--no-sync", "-A", "trust"), check=True, cwd="/")
        self.start()

    def start(self):
        self.process = self.program.start(
            *as_user("postgres", f"{self.BIN}/postgres", "-D", self.data, "-p", self.port, "-k", self.data, "-F",
                     "-c", "listen_addresses=127.0.0.1", "-c", "max_wal_size=256MB"), cwd="/")
        wait_until("postgres", lambda: self.query("SELECT 1", check=False)[1].strip() == "1", 40)

    def query(self, text, check=True, **more):
        return self.program.run(f"{self.BIN}/psql", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "-AtX", "-c", text,
                                "postgres", check=check, **more)

    def bench(self, *options):
        return self.program.run(f"{self.BIN}/pgbench", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", *options,
                                "postgres", check=True)[1]


QUERIES = """
CREATE TABLE work AS SELECT n, md5(n::text) AS word, (n * 7919) % 1009 AS part FROM generate_series(1, 200000) n;
CREATE INDEX ON work (word);
ANALYZE work;
SET max_parallel_workers_per_gather = 2; SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0;
SET jit = on; SET jit_above_cost = 0; SET jit_optimize_above_cost = 0; SET jit_inline_above_cost = 0;
SELECT md5(string_agg(t, ',' ORDER BY t)) FROM (SELECT part || ':' || count(*) || ':' || max(word) AS t FROM work GROUP BY part) s;
SELECT sum(length(xml)) FROM (SELECT xmlelement(name part, xmlagg(xmlelement(name n, n)))::text AS xml FROM work WHERE n < 20000 GROUP BY part) s;
SELECT count(*) FROM work a JOIN work b ON a.word = b.word WHERE a.word ~ '^[0-9a-f]*(ab|cd){2}';
SELECT jsonb_array_length(jsonb_agg(to_jsonb(work))) FROM work WHERE n < 50000;
"""


@row("postgresql", "postgresql-15", "pgbench with 4 clients, parallel and compiled queries, a crash of a backend, an immediate stop and recovery")
def postgresql(program):
    postgres = Postgres(program)
    postgres.bench("-i", "-q", "-s", "2", "--no-vacuum")
    said = postgres.bench("-c", "4", "-j", "2", "-t", "300", "--random-seed=7", "--no-vacuum")
    outcome = {"transactions": re.search(r"actually processed: (\S+)", said)[1]}
    outcome["queries"] = "\n".join(postgres.query(line)[1] for line in [QUERIES])
    balance = ("SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history), "
               "(SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(bbalance) FROM pgbench_branches)")
    outcome["balanced"] = postgres.query(balance)[1].strip()
    backend = program.start(f"{postgres.BIN}/psql", "-h", "127.0.0.1", "-p", postgres.port, "-U", "postgres", "-c",
                            "SELECT pg_backend_pid(), pg_sleep(60)", "postgres")
    found = wait_until("a backend asleep", lambda: postgres.query(
        "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()")[1].strip())
    os.kill(int(found.split()[0]), signal.SIGKILL)
    outcome["client of the killed"] = backend.wait(30)
    wait_until("recovery", lambda: postgres.query("SELECT 1", check=False)[0] == 0)
    program.stop(postgres.process, signal.SIGQUIT)
    postgres.start()
    outcome["recovered"] = postgres.query(balance)[1].strip()
    outcome["status"] = program.stop(postgres.process, signal.SIGINT)
    return outcome


@row("mariadb", "mariadb-server-core mariadb-client", "mariadb-install-db, InnoDB under 6 clients at once, a killed server's recovery, CHECK TABLE")
def mariadb(program):
    server = need("mariadbd")
    data, path = program.path("data"), program.path("socket")
    data.mkdir()
    options = ["--no-defaults", f"--datadir={data}", f"--socket={path}", "--skip-networking", "--user=root",
               "--innodb-buffer-pool-size=64M"]
    program.run(need("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--user=root",
                "--auth-root-authentication-method=normal", check=True)

    def start():
        process = program.start(server, *options)
        wait_until("mariadbd", lambda: program.run(need("mariadb-admin"), "--no-defaults", f"--socket={path}", "ping")[0] == 0)
        return process

    def query(text, shimmed=True):
        return program.run(need("mariadb"), "--no-defaults", f"--socket={path}", "-N", "-B", said=text, check=True, shimmed=shimmed)[1]

    process = start()
    query("CREATE DATABASE work; CREATE TABLE work.t (n INT PRIMARY KEY, word VARCHAR(64), KEY (word)) ENGINE=InnoDB;")
    clients = [program.start(need("mariadb-slap"), "--no-defaults", f"--socket={path}", "--create-schema=slap", "--concurrency=6",
                             "--iterations=1", "--auto-generate-sql", "--number-of-queries=1200", "--engine=innodb")]
    query("SET max_recursive_iterations = 60000; INSERT INTO work.t WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 "
          "FROM s WHERE n < 50000) SELECT n, MD5(n) FROM s;")
    outcome = {"slap": [client.wait(100) for client in clients]}
    checksum = "SELECT COUNT(*), MD5(GROUP_CONCAT(w ORDER BY w)) FROM (SELECT LEFT(word, 2) w, COUNT(*) c FROM work.t GROUP BY w) g; CHECK TABLE work.t;"
    outcome["rows"] = query(checksum)
    program.stop(process, signal.SIGKILL)
    process = start()
    outcome["recovered"] = query(checksum)
    outcome["status"] = program.stop(process)
    return outcome


@row("sqlite", "sqlite3", "a quarter of a million rows, indexes, window functions, full-text search, integrity check", quick=True)
def sqlite(program):
    text = """PRAGMA journal_mode=WAL; CREATE TABLE t(n INTEGER PRIMARY KEY, word TEXT, part INT);
WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM s WHERE n < 100000) INSERT INTO t SELECT n, hex(n*7919), n%1009 FROM s;
CREATE INDEX w ON t(word); CREATE VIRTUAL TABLE f USING fts5(word); INSERT INTO f SELECT word || ' ' || part FROM t WHERE n < 20000;
SELECT count(*) FROM f WHERE f MATCH '3*'; SELECT sum(r) FROM (SELECT rank() OVER (PARTITION BY part ORDER BY word) r FROM t);
UPDATE t SET word = word || part WHERE part % 3 = 0; VACUUM; PRAGMA integrity_check;
SELECT sum(length(word)), count(DISTINCT word) FROM t; SELECT length(json_group_array(word)) FROM t WHERE n < 30000;"""
    status, out = program.run(need("sqlite3"), program.path("work.db"), said=text)
    return {"status": status, "out": out.strip()}


@row("memcached", "memcached", "4 threads, 20,000 values set and read back, evictions")
def memcached(program):
    port = free_port()
    process = program.start(need("memcached"), "-u", "root", "-l", "127.0.0.1", "-p", port, "-U", "0", "-t", "4", "-m", "16")
    wait_for_port(port, process)
    with socket.create_connection(("127.0.0.1", port)) as client:
        stream = client.makefile("rwb")
        stored = 0
        for n in range(20000):
            value = (f"{n}," * (n % 300 + 1)).encode()
            stream.write(b"set k%d 0 0 %d\r\n%s\r\n" % (n, len(value), value))
            stream.flush()
            stored += stream.readline() == b"STORED\r\n"
        stream.write(b"get k19999\r\n")
        stream.flush()
        last = stream.readline() + stream.readline()[:20]
    return {"stored": stored, "last": last.decode(), "status": program.stop(process, signal.SIGINT)}
