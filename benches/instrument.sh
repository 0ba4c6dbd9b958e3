#!/usr/bin/env bash
# The cost of the instrument: CPU per request of `querylab drive`, beside wrk and oha where they are installed.
#
# One static location of one Nginx worker on one core, each generator in turn on another, 50 connections, the same
# closed load. CPU time is that of the generator's whole process, from its start to its end. The tools take turns, so
# that a disturbance of the machine meets all of them; the median of the rounds counts. Exit code 1: more CPU than 1.3 times
# wrk's, or than oha's, or fewer requests/s than 100 for 130 of wrk's. The medians of the latency stand beside: at a load
# that only the tools' own speed bounds, they say how each tool takes its answers, one by one or in bursts.
#
#     cargo build --release
#     benches/instrument.sh [ROUNDS] [SECONDS]        5 rounds of 5 seconds if left out
#
# QUERYLAB and NGINX name the programs; NGINX is that of the path, or the one that `querylab setup nginx` has fetched.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5} seconds=${2:-5} connections=50
querylab=${QUERYLAB:-${CARGO_TARGET_DIR:-target}/release/querylab}
fetched=$(ls -d {"${XDG_CACHE_HOME:-$HOME/.cache}",/var/cache}/querylab/servers/nginx/usr/sbin/nginx 2>/dev/null | head -1 || true)
nginx=${NGINX:-$(command -v nginx || echo "$fetched")}
[ -x "$querylab" ] || { echo "no $querylab: cargo build --release" >&2; exit 3; }
[ -x "$nginx" ] || { echo "no nginx: querylab setup nginx, or set NGINX" >&2; exit 3; }
[ "$(nproc)" -ge 2 ] || { echo "two cores are needed: one for Nginx, one for the generator" >&2; exit 3; }

dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
port=28973
cat > "$dir/nginx.conf" <<CONF
worker_processes 1;
daemon off;
pid $dir/pid;
error_log $dir/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path $dir/1; proxy_temp_path $dir/2; fastcgi_temp_path $dir/3;
  uwsgi_temp_path $dir/4; scgi_temp_path $dir/5;
  keepalive_requests 1000000000;
  server { listen 127.0.0.1:$port; location = /static { return 200 "ok\n"; } }
}
CONF
taskset -c 1 "$nginx" -e "$dir/error.log" -p "$dir" -c "$dir/nginx.conf" &
server=$!
url=http://127.0.0.1:$port/static
for _ in $(seq 50); do
  curl -sf "$url" >/dev/null && break
  kill -0 "$server" 2>/dev/null || { cat "$dir/error.log" >&2; exit 3; }
  sleep 0.1
done

TIMEFORMAT='%U %S'
# requests, and median latency in microseconds, of one run
count_drive() {
  "$querylab" drive "$url" --users $connections --duration "${seconds}s" --json |
    sed -E 's/.*"sent":([0-9]+).*"response_time_us":\{"p50":([0-9.]+).*/\1 \2/'
}
count_wrk() {
  wrk -t1 -c$connections -d"${seconds}s" --latency "$url" |
    awk '$1 == "50%" { us = $2 + 0; if ($2 ~ /ms$/) us *= 1000 } /requests in/ { n = $1 } END { print n, us }'
}
count_oha() {
  oha --no-tui --output-format json -c $connections -z "${seconds}s" "$url" | tr -d ' \n' > "$dir/oha"
  grep -o '"statusCodeDistribution":{[^}]*}' "$dir/oha" | grep -o '[0-9]*}' | tr -d '}\n'
  grep -o '"latencyPercentiles":{[^}]*}' "$dir/oha" | grep -o '"p50":[0-9.e-]*' |
    awk -F: '{ print " " $2 * 1e6 }'
}
export -f count_drive count_wrk count_oha
export querylab url connections seconds dir

tools=drive
command -v wrk >/dev/null && tools="$tools wrk"
command -v oha >/dev/null && tools="$tools oha"
for round in $(seq "$rounds"); do
  for tool in $tools; do
    { time taskset -c 0 bash -c "count_$tool" > "$dir/count"; } 2> "$dir/time"
    read -r n us < "$dir/count"
    awk -v tool="$tool" -v n="$n" -v us="$us" -v s="$seconds" \
      '{ printf "%-6s %8.0f requests/s  %6.2f CPU s per million requests  p50 %.0f us\n", tool, n / s, ($1 + $2) * 1e6 / n, us }' "$dir/time" |
      tee -a "$dir/all"
  done
done
median() { awk -v tool="$1" -v c="$2" '$1 == tool { print $c }' "$dir/all" | sort -g | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }
echo "medians of $rounds rounds:"
drive=$(median drive 4)
for tool in $tools; do
  awk -v tool="$tool" -v rate="$(median "$tool" 2)" -v cpu="$(median "$tool" 4)" -v us="$(median "$tool" 11)" \
    -v drive="$drive" \
    'BEGIN { printf "%-6s %8.0f requests/s  %6.2f CPU s per million requests  p50 %.0f us", tool, rate, cpu, us
             if (tool != "drive") printf "  (drive takes %.2f times as much)", drive / cpu
             printf "\n" }'
done
drive_rate=$(median drive 2) code=0
broken() { echo "$*" >&2; code=1; }
if [[ " $tools " == *" wrk "* ]]; then
  awk -v drive="$drive" -v wrk="$(median wrk 4)" 'BEGIN { exit !(drive <= 1.3 * wrk) }' ||
    broken "drive takes more than 1.3 times wrk's CPU"
  awk -v drive="$drive_rate" -v wrk="$(median wrk 2)" 'BEGIN { exit !(drive * 130 >= wrk * 100) }' ||
    broken "drive has fewer than 100 requests/s for 130 of wrk's"
fi
if [[ " $tools " == *" oha "* ]]; then
  awk -v drive="$drive" -v oha="$(median oha 4)" 'BEGIN { exit !(drive < oha) }' || broken "drive takes more CPU than oha"
fi
exit "$code"
