# SPDX-License-Identifier: Apache-2.0
"""Web servers and proxies: reloads and the end of workers while requests come in."""

import collections
import hashlib
import http.client
import os
import shutil
import signal
import threading
import time

from program import descendants_of, free_port, need, wait_for_port, wait_until
from rows import row


class Load:
    """Threads that ask for pages, a connection each time, until enough answers came or `stop`; a context manager."""

    def __init__(self, port, paths, threads=4, each=400):
        self.port, self.paths, self.each = port, paths, each
        self.answers = collections.Counter()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self._threads:
            thread.join()

    def _ask(self):
        for n in range(self.each):
            path = self.paths[n % len(self.paths)]
            answer = fetch(self.port, path)
            with self._lock:
                self.answers[f"{path} {answer}"] += 1


def fetch(port, path):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return f"{response.status} {hashlib.sha256(body).hexdigest()[:12]}"
    except OSError as error:
        return type(error).__name__


def pages(program):
    root = program.path("www")
    root.mkdir(mode=0o755)
    program.write("www/small.html", "<p>small</p>\n")
    program.write("www/large.html", "".join(f"<p>{n} {n * 7919 % 1009}</p>\n" for n in range(20000)))
    return root


NGINX = """daemon off; user root; worker_processes 3; pid {dir}/nginx.pid; error_log {dir}/error.log info;
events {{ worker_connections 256; }}
http {{
  access_log {dir}/access.log; gzip on; gzip_types text/html; gzip_comp_level 6; types {{ text/html html; }}
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4;
  scgi_temp_path {dir}/t5; proxy_cache_path {dir}/cache keys_zone=kept:1m;
  server {{ listen 127.0.0.1:{port}; root {dir}/www;
    location /proxied/ {{ proxy_pass http://127.0.0.1:{port}/; proxy_cache kept; }} }}
}}
"""


def nginx_work(program, each):
    port = free_port()
    pages(program)
    conf = program.write("nginx.conf", NGINX.format(dir=program.directory, port=port))
    process = program.start(need("nginx"), "-p", program.directory, "-c", conf)
    wait_for_port(port, process)
    with Load(port, ["/small.html", "/large.html", "/proxied/large.html", "/none"], each=each) as load:
        for signal_number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGHUP, signal.SIGHUP):
            time.sleep(0.4)
            process.send_signal(signal_number)
        time.sleep(0.3)
        os.kill(descendants_of(process.pid)[-1], signal.SIGTERM)  # the master starts another
    wait_until("three workers", lambda: len(descendants_of(process.pid)) >= 3)
    return {"answers": dict(load.answers), "status": program.stop(process, signal.SIGQUIT)}


@row("nginx", "nginx-light", "gzip, proxy and cache under load, 3 reloads, log reopening, a worker ended, a graceful end")
def nginx(program):
    return nginx_work(program, 1000)


@row("nginx-quick", "nginx-light", "the same with less", quick=True)
def nginx_quick(program):
    return nginx_work(program, 120)


APACHE = """ServerName localhost
Listen 127.0.0.1:{port}
ServerRoot {dir}
PidFile {dir}/apache.pid
DefaultRuntimeDir {dir}
Mutex file:{dir}
ErrorLog {dir}/error.log
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule deflate_module {modules}/mod_deflate.so
LoadModule filter_module {modules}/mod_filter.so
LoadModule mime_module {modules}/mod_mime.so
LoadModule status_module {modules}/mod_status.so
TypesConfig /dev/null
AddType text/html .html
AddOutputFilterByType DEFLATE text/html
User nobody
Group nogroup
StartServers 2
ServerLimit 4
MaxConnectionsPerChild 150
DocumentRoot {dir}/www
"""


@row("apache", "apache2-bin", "the event MPM: children of 150 connections, 3 graceful restarts under load")
def apache(program):
    port = free_port()
    pages(program)
    conf = program.write("apache.conf", APACHE.format(dir=program.directory, port=port, modules="/usr/lib/apache2/modules"))
    process = program.start(need("apache2"), "-f", conf, "-DFOREGROUND", APACHE_RUN_DIR=program.directory)
    wait_for_port(port, process)
    with Load(port, ["/small.html", "/large.html", "/none"], each=500) as load:
        for _ in range(3):
            time.sleep(0.6)
            process.send_signal(signal.SIGUSR1)
    return {"answers": dict(load.answers), "status": program.stop(process)}


@row("lighttpd", "lighttpd", "static pages under load, a graceful restart")
def lighttpd(program):
    port = free_port()
    root = pages(program)
    conf = program.write("lighttpd.conf", f'server.document-root = "{root}"\nserver.port = {port}\nserver.bind = "127.0.0.1"\n'
                         f'server.errorlog = "{program.path("error.log")}"\nmimetype.assign = (".html" => "text/html")\n')
    process = program.start(need("lighttpd"), "-D", "-f", conf)
    wait_for_port(port, process)
    with Load(port, ["/small.html", "/large.html", "/none"]) as load:
        pass
    return {"answers": dict(load.answers), "status": program.stop(process, signal.SIGINT)}


@row("haproxy", "haproxy lighttpd", "master and worker in front of a server, 3 reloads under load")
def haproxy(program):
    port, behind = free_port(), free_port()
    root = pages(program)
    server = program.start("/usr/bin/python3", "-m", "http.server", behind, "--bind", "127.0.0.1", "--directory", root)
    wait_for_port(behind, server)
    conf = program.write("haproxy.cfg", f"""global
  nbthread 3
  maxconn 500
  stats socket {program.path("admin.sock")} expose-fd listeners
defaults
  mode http
  timeout connect 20s
  timeout client 20s
  timeout server 20s
  retries 5
frontend f
  bind 127.0.0.1:{port}
  compression algo gzip
  compression type text/html
  default_backend b
backend b
  server s 127.0.0.1:{behind}
""")
    process = program.start(need("haproxy"), "-W", "-f", conf)
    wait_for_port(port, process)
    with Load(port, ["/small.html", "/large.html"], each=200) as load:
        for _ in range(3):
            time.sleep(0.5)
            process.send_signal(signal.SIGUSR2)
    return {"answers": dict(load.answers), "status": program.stop(process)}


TOMCAT_PAGE = """<%@ page import="java.util.*,java.util.zip.*,java.io.*" %><%
  ByteArrayOutputStream packed = new ByteArrayOutputStream();
  try (GZIPOutputStream gzip = new GZIPOutputStream(packed)) {
    for (int n = 0; n < 20000; ++n) gzip.write(Integer.toString(n * 7919 % 1009).getBytes());
  }
  java.nio.ByteBuffer buffer = java.nio.ByteBuffer.allocateDirect(100000);
  buffer.put(packed.toByteArray());
%>packed <%= packed.size() %> <%= buffer.position() %>
"""


@row("tomcat", "tomcat10 openjdk-17-jre-headless", "a page that is compiled at the first request and packs data, under load")
def tomcat(program):
    port = free_port()
    base, home = program.path("base"), need("/usr/share/tomcat10")
    for folder in ("conf", "logs", "temp", "work", "webapps/ROOT"):
        base.joinpath(folder).mkdir(parents=True)
    for name in ("web.xml", "context.xml"):
        shutil.copy(f"/etc/tomcat10/{name}", base / "conf" / name)
    program.write("base/conf/server.xml", f"""<Server port="-1"><Service name="Catalina">
<Connector address="127.0.0.1" port="{port}" protocol="HTTP/1.1" compression="on"/>
<Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps"/></Engine></Service></Server>""")
    program.write("base/webapps/ROOT/index.jsp", TOMCAT_PAGE)
    program.write("base/webapps/ROOT/small.html", "<p>small</p>\n")
    process = program.start(f"{home}/bin/catalina.sh", "run", CATALINA_BASE=base, CATALINA_HOME=home,
                            JAVA_HOME="/usr/lib/jvm/java-17-openjdk-amd64", JAVA_OPTS="-Xmx200m")
    wait_for_port(port, process, 60)
    with Load(port, ["/index.jsp", "/small.html", "/none.jsp"], each=300) as load:
        pass
    return {"answers": dict(load.answers), "status": program.stop(process)}


@row("jetty", "jetty9 openjdk-17-jre-headless", "static pages under load")
def jetty(program):
    port = free_port()
    base, home = program.path("base"), need("/usr/share/jetty9")
    base.mkdir()
    base.joinpath("webapps").mkdir()
    root = pages(program)
    shutil.copytree(root, base / "webapps" / "root")
    process = program.start("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "-Xmx200m", "-jar", f"{home}/start.jar",
                            f"jetty.home={home}", f"jetty.base={base}", "--module=server,http,webapp,deploy",
                            f"jetty.http.port={port}", "jetty.http.host=127.0.0.1")
    wait_for_port(port, process, 60)
    wait_until("jetty's application", lambda: fetch(port, "/small.html").startswith("200"), 60)
    with Load(port, ["/small.html", "/large.html", "/none"], each=400) as load:
        pass
    return {"answers": dict(load.answers), "status": program.stop(process)}
