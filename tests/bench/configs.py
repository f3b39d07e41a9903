# SPDX-License-Identifier: Apache-2.0
"""The configurations of what is measured: each proxy as one would run it for streams, on one core's
worth of workers, adding one secret header and passing every byte on when it comes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

KEY = "sk-bench-0123456789abcdef"
PATH = "/v1/chat/completions"


@dataclass(frozen=True)
class Tls:
    """The files of both ends; the client's pair also in one file, as HAProxy wants it."""

    ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path
    client_both: Path


NGINX = """
daemon off; worker_processes 1; worker_rlimit_nofile 8192; pid {folder}/{name}.pid;
error_log {folder}/{name}.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/{name}-b; proxy_temp_path {folder}/{name}-p;
  fastcgi_temp_path {folder}/{name}-f; uwsgi_temp_path {folder}/{name}-u;
  scgi_temp_path {folder}/{name}-s;
  keepalive_requests 100000000; keepalive_timeout 75s; tcp_nodelay on;
{servers}
}}
"""
# Every connection of the second one is new: a full handshake, nothing of it resumed.
NGINX_MTLS_UPSTREAM = """
  ssl_certificate {tls.server_cert}; ssl_certificate_key {tls.server_key};
  ssl_client_certificate {tls.ca}; ssl_verify_client on; ssl_protocols TLSv1.3;
  ssl_session_cache off; ssl_session_tickets off; default_type application/json;
  server {{ listen 127.0.0.1:{kept} ssl backlog=4096;
    location / {{ return 200 '{answer}'; }} }}
  server {{ listen 127.0.0.1:{renewed} ssl backlog=4096; keepalive_timeout 0;
    location / {{ return 200 '{answer}'; }} }}
"""
NGINX_PROXY = """
  upstream u{port} {{ server 127.0.0.1:{upstream}; keepalive 1100; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass {scheme}://u{port}; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Authorization "Bearer {key}";
      proxy_buffering off; proxy_request_buffering off; {tls} }} }}
"""
NGINX_MTLS_CLIENT = """
      proxy_ssl_certificate {tls.client_cert}; proxy_ssl_certificate_key {tls.client_key};
      proxy_ssl_trusted_certificate {tls.ca}; proxy_ssl_verify on; proxy_ssl_protocols TLSv1.3;
      proxy_ssl_name localhost; proxy_ssl_server_name on;"""

HAPROXY = """
global
  nbthread 1
  maxconn 2048
defaults
  mode http
  timeout connect 5s
  timeout client 120s
  timeout server 120s
  option http-no-delay
{sections}
"""
HAPROXY_SECTION = """
listen l{port}
  bind 127.0.0.1:{port}
  http-reuse always
  http-request set-header Authorization "Bearer {key}"
  server up 127.0.0.1:{upstream} {tls}
"""
HAPROXY_MTLS_CLIENT = (
    "ssl crt {tls.client_both} ca-file {tls.ca} verify required sni str(localhost) "
    "verifyhost localhost"
)


def nginx(folder: Path, name: str, servers: str) -> str:
    return NGINX.format(folder=folder, name=name, servers=servers)


def nginx_mtls_upstream(tls: Tls, kept: int, renewed: int) -> str:
    content = "y" * 960
    answer = f'{{"id":"x","choices":[{{"message":{{"content":"{content}"}}}}]}}'
    return NGINX_MTLS_UPSTREAM.format(tls=tls, kept=kept, renewed=renewed, answer=answer)


def nginx_proxy(port: int, upstream: int, tls: Tls | None = None) -> str:
    client = NGINX_MTLS_CLIENT.format(tls=tls) if tls else ""
    scheme = "https" if tls else "http"
    return NGINX_PROXY.format(port=port, upstream=upstream, scheme=scheme, key=KEY, tls=client)


def haproxy(sections: str) -> str:
    return HAPROXY.format(sections=sections)


def haproxy_section(port: int, upstream: int, tls: Tls | None = None) -> str:
    client = HAPROXY_MTLS_CLIENT.format(tls=tls) if tls else ""
    return HAPROXY_SECTION.format(port=port, upstream=upstream, key=KEY, tls=client)


def sidekey(upstream: int, tls: Tls | None = None, **changes: object) -> dict:
    """All as it is by default, but for the changes and for room for the connections."""
    target: dict = {
        "provider": "openaiCompatible",
        "apiBase": f"{'https' if tls else 'http'}://localhost:{upstream}/v1",
        "apiKey": "env:BENCH_KEY",
    }
    if tls:
        target["tls"] = {
            "ca": str(tls.ca),
            "clientCert": str(tls.client_cert),
            "clientKey": str(tls.client_key),
        }
    else:
        target["allowPlaintext"] = True
    log = {"log": {"level": changes.pop("level")}} if "level" in changes else {}
    return {
        **log,
        "limits": {"connections": 2048},
        "targets": {"up": {**target, **changes}},
    }
