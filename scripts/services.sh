#!/usr/bin/env bash
# Run a command beside the services that the tests need: a private PostgreSQL and a Chromium.
#
#   scripts/services.sh COMMAND [ARGUMENT…]
#
# What is missing is installed with apt where that is possible (root on Debian or Ubuntu). The PostgreSQL cluster lives in
# a temporary folder on a free loopback port, belongs to a user without rights, and is gone when the command ends.
# A MAINSPRING_TEST_POSTGRES that is set already is used as it is.
set -euo pipefail

say() { printf 'services: %s\n' "$*" >&2; }

postgres_bin() {
  local found
  if found=$(command -v pg_ctl); then dirname "$found"; return; fi
  found=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
  [ -n "$found" ] && [ -x "$found/initdb" ] && echo "$found"
}

apt_install() {
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    say "missing: $*; install it and run again"
    exit 1
  fi
  say "installing $*"
  export DEBIAN_FRONTEND=noninteractive
  # The cluster that the package would create and start is not ours: keep it from being made.
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    printf 'create_main_cluster = false\n' > /etc/postgresql-common/createcluster.conf
  fi
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@" >/dev/null </dev/null
}

missing=()
if [ -z "${MAINSPRING_TEST_POSTGRES:-}" ] && ! postgres_bin >/dev/null; then missing+=(postgresql); fi
if ! command -v chromium >/dev/null && ! command -v google-chrome >/dev/null; then missing+=(chromium fonts-dejavu-core); fi
if [ ${#missing[@]} -gt 0 ]; then apt_install "${missing[@]}"; fi

folder=""
as_owner() {
  if [ "$(id -u)" -eq 0 ]; then (cd "$folder" && runuser -u "$owner" -- "$@"); else (cd "$folder" && "$@"); fi
}

stop() {
  local code=$?
  trap - EXIT
  if [ -n "$folder" ]; then
    as_owner "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$folder"
  fi
  exit "$code"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ -z "${MAINSPRING_TEST_POSTGRES:-}" ]; then
  bin=$(postgres_bin)
  owner=$(id -un)
  if [ "$(id -u)" -eq 0 ]; then
    owner=nobody
    if id postgres >/dev/null 2>&1; then owner=postgres; fi
  fi
  folder=$(mktemp -d)
  chmod 700 "$folder"
  if [ "$(id -u)" -eq 0 ]; then chown "$owner" "$folder"; fi
  password=$(python3 -c 'import secrets; print(secrets.token_hex(16))')
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  (umask 077; printf '%s\n' "$password" > "$folder/password")
  if [ "$(id -u)" -eq 0 ]; then chown "$owner" "$folder/password"; fi
  as_owner "$bin/initdb" -D "$folder/data" -U mainspring -E UTF8 --locale=C --auth=scram-sha-256 \
    --pwfile="$folder/password" >"$folder.log" 2>&1 || { cat "$folder.log" >&2; exit 1; }
  rm -f "$folder.log"
  # Durability is what the tests of the product ask of PostgreSQL's promise, not of this throw-away cluster's disk.
  as_owner "$bin/pg_ctl" -D "$folder/data" -l "$folder/server.log" -w -t 60 \
    -o "-p $port -h 127.0.0.1 -k $folder -c fsync=off -c max_connections=200" start >/dev/null \
    || { cat "$folder/server.log" >&2; exit 1; }
  export MAINSPRING_TEST_POSTGRES="postgresql://mainspring:$password@127.0.0.1:$port/postgres"
  say "PostgreSQL $("$bin/postgres" --version | awk '{print $3}') on port $port"
fi

"$@"
