#!/usr/bin/env bash
# The speed of the API beside the document's own stack, in one run on the same two processors.
#
# One Postgres with 10,000,000 users; before it in turn, round after round, each behind the same Nginx configuration with
# upstream keep-alive over unix sockets, driven by wrk with 10 and with 100 users:
#
#   best       our API, statements of all requests over few connections   (experiments/lookup.toml, variant `best`)
#   pool       our API with a pool of 20 + 10, without `pre_ping`         (the same, variant `pool`)
#   pinged     the same with `pre_ping`, which the document's pool has    (the same, variant `pinged`)
#   reference  FastAPI, SQLAlchemy with that pool, psycopg2               (reference/app.py)
#   asyncpg    FastAPI with asyncpg alone                                 (reference/app_asyncpg.py)
#   pgbench    `pgbench -M prepared` with the same statement and as many clients, no HTTP: what Postgres itself can do
#   nolog      `best` without its request log: what logging costs
#
# What is promised of the pool is held against `pool`; the ratio of `pinged`, which makes one round trip more for each request as
# the reference does, is printed beside it and held to nothing.
#
# Printed are requests/s, p50 and p99 as wrk has them, errors, CPU time per request of each process, and the ratios that the
# project promises; the exit code is 1 where one of them does not hold, 3 where something is missing. Logging, metrics and
# validation are on. Needs root's apt-get only where wrk is not installed; Python packages go into a folder of their own.
#
#     cargo build --release
#     benches/api/run.sh [--rows N] [--rounds N] [--seconds N] [--users 10,100] [--sides best,pool,…] [--json FILE]
#
# QUERYLAB names the program.
set -euo pipefail
cd "$(dirname "$0")/../.."
export QUERYLAB="${QUERYLAB:-${CARGO_TARGET_DIR:-target}/release/querylab}"
missing() { echo "benches/api: $*" >&2; exit 3; }
[ -x "$QUERYLAB" ] || missing "no $QUERYLAB: cargo build --release"
if ! command -v wrk >/dev/null && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    timeout 300 apt-get install -y -qq wrk >/dev/null || true
fi
command -v wrk >/dev/null || missing "no wrk (Debian's package of that name)"
command -v python3 >/dev/null || missing "no python3"
# Made once for each list of packages.
wanted=benches/api/reference/requirements.txt
venv="${XDG_CACHE_HOME:-$HOME/.cache}/querylab/bench-api-$(sha256sum "$wanted" | cut -c1-12)"
if [ ! -e "$venv/complete" ]; then
    python3 -m venv --clear "$venv" || missing "python3 has no venv (Debian: python3-venv)"
    timeout 600 "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" ||
        missing "the reference's packages cannot be fetched"
    touch "$venv/complete"
fi
exec "$venv/bin/python" -u benches/api/measure.py "$@"
