"""Drives our API and the references in turn, and holds their ratios to what is promised. Started by run.sh, which says more."""
import argparse, copy, json, os, re, shutil, signal, socket, statistics, subprocess, sys, tempfile, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TICK = os.sysconf("SC_CLK_TCK")
STATEMENT = "SELECT id, email, name, status, created_at FROM users WHERE email = 'email' || :row || '@example.com';\n"
ALL = ["best", "pool", "pinged", "reference", "asyncpg", "pgbench", "nolog"]


def broken(text):
    """Our own side does not work: no reason to leave the check out."""
    print(f"benches/api: {text}", file=sys.stderr)
    sys.exit(2)


def missing(text):
    print(f"benches/api: {text}", file=sys.stderr)
    sys.exit(3)


def stat(pid):
    """Parent, and CPU seconds of a process; of its children too that have ended."""
    try:
        text = open(f"/proc/{pid}/stat").read()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    own, ended = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return int(fields[1]), own / TICK, ended / TICK


def tree(root):
    """A process and its descendants."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (known := stat(name)):
            parents.setdefault(known[0], []).append(int(name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(parents.get(pid, []))
    return found


def cpu(root):
    """CPU seconds of a process and all that it has started."""
    return sum(known[1] + known[2] for known in map(stat, tree(root)) if known)


def command_line(pid):
    try:
        return open(f"/proc/{pid}/cmdline", "rb").read().decode(errors="replace").split("\0")
    except OSError:
        return [""]


def environment(pid):
    pairs = open(f"/proc/{pid}/environ", "rb").read().decode(errors="replace").split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Bench:
    """What was started, and where it is."""

    def __init__(self, options):
        self.options = options
        self.querylab = os.path.abspath(os.environ["QUERYLAB"])
        self.dir = tempfile.mkdtemp(prefix="qlb-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.children = []

    def start(self, name, args, env=None):
        log = open(f"{self.dir}/{name}.log", "ab")
        child = subprocess.Popen(args, stdout=log, stderr=log, stdin=subprocess.DEVNULL, umask=0, cwd=self.dir,
                                 env={**os.environ, **(env or {})})
        self.children.append(child)
        return child

    def home(self, name):
        """A folder of the servers' user."""
        home = f"{self.dir}/{name}"
        os.makedirs(home, 0o755)
        os.chown(home, *(self.child["user"] or (-1, -1)))
        return home

    def start_child(self, name, home, program):
        """As querylab starts its own servers: as the unprivileged user, and not longer than we are there."""
        spec = {**self.child, "name": name, "guard": os.getpid(), "home": home, "program": program}
        return self.start(name, [self.querylab, "__child", json.dumps(spec)])

    def stop(self):
        for child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGINT if child is self.children[0] else signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def tail(self, name):
        return open(f"{self.dir}/{name}.log", errors="replace").read()[-2000:]

    def serve(self):
        """Postgres with its rows, and an Nginx whose configuration all sides get."""
        file = f"{HERE}/experiments/lookup.toml"
        rows = ["--set", f"dataset.tables.users.rows={self.options.rows}"]
        plan = subprocess.run([self.querylab, "plan", file, "--json", *rows], capture_output=True, text=True, timeout=120)
        if plan.returncode:
            broken(plan.stderr)
        self.plans = {cell["variant"]: cell["api"] for cell in json.loads(plan.stdout)["cells"]}
        more = ["--message-format", "json", *(["--fresh"] if self.options.fresh else [])]
        child = self.start("serve", [self.querylab, "serve", file, "--variant", "best", *rows, *more])
        for _ in range(900):
            if '"event":"serving"' in self.tail("serve"):
                break
            if child.poll() is not None:
                broken(self.tail("serve"))
            time.sleep(1)
        else:
            broken("the servers are not ready after 15 minutes")
        for pid in tree(child.pid):
            words = command_line(pid)
            parent = command_line(stat(pid)[0])
            if words[1:2] == ["__child"] and "api" in (spec := json.loads(words[2]))["program"]:
                self.child, self.launch = spec, json.load(open(spec["program"]["api"]["config"]))
            elif words[0].startswith("nginx: master"):
                self.nginx, self.nginx_environment = os.readlink(f"/proc/{pid}/exe"), environment(pid)
                self.nginx_conf = open(re.search(r"-c (\S+)", " ".join(words)).group(1)).read()
            elif os.path.basename(words[0]) == "postgres" and os.path.basename(parent[0]) != "postgres":
                self.postgres = pid
        self.postgres_bin = os.path.dirname(os.readlink(f"/proc/{self.postgres}/exe"))

    def before(self, name, upstream):
        """The same Nginx before another socket; its process and its address."""
        home = self.home(f"{name}.nginx")
        conf, port = self.nginx_conf, free_port()
        theirs = re.search(r"listen 127\.0\.0\.1:(\d+)", conf).group(1)
        status = re.search(r'listen "?unix:([^";]+)', conf).group(1)
        old_home = os.path.dirname(re.search(r'pid "?([^";]+)', conf).group(1))
        for old, new in [(f"127.0.0.1:{theirs}", f"127.0.0.1:{port}"), (self.launch["listen"], upstream),
                         (status, f"{home}/status.sock"), (old_home, home)]:
            assert old in conf, old
            conf = conf.replace(old, new)
        open(f"{home}/nginx.conf", "w").write(conf)
        libraries = self.nginx_environment.get("LD_LIBRARY_PATH", "").split(":")
        program = {"exec": {"path": self.nginx, "args": ["-p", f"{home}/", "-c", f"{home}/nginx.conf", "-e", "stderr"],
                            "libraries": [folder for folder in libraries if folder]}}
        return self.start_child(f"{name}.nginx", home, program), f"127.0.0.1:{port}"

    def ours(self, name, variant, with_log=True):
        launch = copy.deepcopy(self.launch)
        launch["api"] = self.plans[variant]
        home = self.home(name)
        launch["listen"] = f"{home}/api.sock"
        launch["request_log"] = f"{home}/requests.jsonl" if with_log else None
        path = f"{home}/launch.json"
        json.dump(launch, open(path, "w"))
        os.chmod(path, 0o600)
        os.chown(path, *(self.child["user"] or (-1, -1)))
        return self.start_child(name, home, {"api": {"config": path}}), launch["listen"]

    def theirs(self, name, module):
        p = self.launch["postgres"]
        place = f"host={p['socket_dir']}&port={p['port']}"
        who = f"{p['user']}:{p['password']}@/{p['database']}?{place}"
        env = {"DATABASE_URL": f"postgresql+psycopg2://{who}", "ASYNCPG_URL": f"postgres://{who}",
               "REDIS_URL": "redis://127.0.0.1:1", "APP_LOG": "1"}
        listen = f"{self.dir}/{name}.sock"
        args = [sys.executable, "-m", "uvicorn", f"{module}:app", "--app-dir", f"{HERE}/reference", "--uds", listen,
                "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        return self.start(name, args, env), listen

    def side(self, name):
        if name in self.plans or name == "nolog":
            app, listen = self.ours(name, "best" if name == "nolog" else name, name != "nolog")
        else:
            app, listen = self.theirs(name, "app" if name == "reference" else "app_asyncpg")
        nginx, address = self.before(name, listen)
        row = self.options.rows // 2
        for _ in range(300):
            try:
                url = f"http://{address}/users/indexed?email=email{row}%40example.com"
                answer = json.load(urllib.request.urlopen(url, timeout=5))
                assert answer["email"] == f"email{row}@example.com" and len(answer) == 5, answer
                return {"name": name, "app": app.pid, "nginx": nginx.pid, "address": address, "listen": listen}
            except OSError:
                if app.poll() is not None or nginx.poll() is not None:
                    break
                time.sleep(0.1)
        broken(f"{name} does not answer:\n{self.tail(name)}\n{self.tail(name + '.nginx')}")

    def own_metric(self, side, path, pick):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(side["listen"])
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            data = b""
            while chunk := s.recv(65536):
                data += chunk
        return pick(data.split(b"\r\n\r\n", 1)[1].decode())

    def drive(self, side, users, seconds):
        """One trial of wrk."""
        is_ours = side["name"] in self.plans or side["name"] == "nolog"
        count = lambda: self.own_metric(side, "/__querylab/counters", json.loads)
        dropped = lambda: self.own_metric(side, "/metrics",
                                          lambda t: int(re.search(r"^querylab_request_log_dropped_total (\d+)", t, re.M).group(1)))
        before = (count(), dropped()) if is_ours else None
        marks = lambda: {"nginx": cpu(side["nginx"]), "app": cpu(side["app"]), "postgres": cpu(self.postgres)}
        start = marks()
        args = ["wrk", "-t1", f"-c{users}", f"-d{seconds}s", "--timeout", "60s", "-s", f"{HERE}/wrk.lua", f"http://{side['address']}"]
        wrk = subprocess.Popen(args, stdout=subprocess.PIPE, text=True, env={**os.environ, "ROWS": str(self.options.rows)})
        text = wrk.stdout.read()
        usage = os.wait4(wrk.pid, 0)[2]
        wrk.returncode = 0
        end = marks()
        n, micros, p50, p99, status, late, broken = map(float, re.search(r"RES (.*)", text).group(1).split())
        per = {k: (end[k] - start[k]) * 1e6 / max(n, 1) for k in start} | {"wrk": (usage.ru_utime + usage.ru_stime) * 1e6 / max(n, 1)}
        lost = opened = 0
        if is_ours:
            # What is under way when wrk ends was counted here and not there.
            after = count()
            extra = after["requests"] - before[0]["requests"] - n
            lost = 0 if 0 <= extra <= users else extra
            opened = after["connections_opened"] - before[0]["connections_opened"]
        return {"rate": n * 1e6 / micros, "p50": p50 / 1000, "p99": p99 / 1000, "errors": status + late + broken, "lost": lost, "opened": opened,
                "dropped": dropped() - before[1] if is_ours else 0, "cpu": per}

    def pgbench(self, users, seconds):
        p, script = self.launch["postgres"], f"{self.dir}/lookup.sql"
        open(script, "w").write(f"\\set row random(1, {self.options.rows})\n" + STATEMENT)
        program = shutil.which("pgbench", path=f"{self.postgres_bin}:{os.environ['PATH']}")
        if not program:
            missing("no pgbench (Debian: postgresql-contrib)")
        start = cpu(self.postgres)
        args = [program, "-n", "-M", "prepared", "-f", script, "-c", str(users), "-j", "2", "-T", str(seconds), "-h", p["socket_dir"],
                "-p", str(p["port"]), "-U", p["user"], p["database"]]
        child = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PGPASSWORD": p["password"]})
        text = child.stdout.read()
        usage = os.wait4(child.pid, 0)[2]
        child.returncode = 0
        found = re.search(r"tps = ([0-9.]+)", text)
        if not found:
            missing(text)
        rate = float(found.group(1))
        n = rate * seconds
        return {"rate": rate, "p50": users * 1000 / rate, "p99": float("nan"), "errors": 0, "lost": 0, "dropped": 0,
                "cpu": {"postgres": (cpu(self.postgres) - start) * 1e6 / n, "wrk": (usage.ru_utime + usage.ru_stime) * 1e6 / n}}


def middle(values):
    return statistics.median(values)


def collapsed(one, all_of_it):
    """Whether a side came nearly to a stop, as FastAPI's threads do at times with 100 users: such a round flatters others."""
    return one["rate"] < 0.3 * middle([t["rate"] for t in all_of_it]) or one["p99"] == 0


def table(trials, users, sides):
    print(f"\n{users} users, medians of the rounds (p50 of pgbench is its mean)")
    print(f"  {'side':<10} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'errors':>7} {'lost':>5}   CPU µs a request: driver, nginx, app, postgres, sum")
    for side in sides:
        mine = trials[users, side]
        value = lambda key: middle([t[key] for t in mine])
        split = {k: middle([t["cpu"][k] for t in mine]) for k in mine[0]["cpu"]}
        parts = [split.get(k, 0.0) for k in ("wrk", "nginx", "app", "postgres")]
        errors, lost = sum(t["errors"] for t in mine), sum(t["lost"] for t in mine)
        print(f"  {side:<10} {value('rate'):>10.0f} {value('p50'):>8.2f} {value('p99'):>8.2f} {errors:>7.0f} {lost:>5.0f}   "
              + " ".join(f"{p:7.1f}" for p in parts) + f" {sum(parts):8.1f}")
        if opened := sum(t.get("opened", 0) for t in mine[1:]):
            print(f"  {side} opened {opened} connections after its first round")
        if broken := sum(collapsed(t, mine) for t in mine):
            print(f"  {side} came nearly to a stop in {broken} of {len(mine)} rounds, which are in no ratio")


def judge(trials, sides, all_users):
    """Each promise with what was seen of it; whether all of them hold."""
    def ratio(users, one, other, key="rate"):
        pairs = [(a, b) for a, b in zip(trials[users, one], trials[users, other]) if not collapsed(b, trials[users, other])]
        return middle([a[key] / b[key] for a, b in pairs])

    rows = []
    for users, best, pool in [(10, 20, 17), (100, 30, 25)]:
        if users not in all_users:
            continue
        rows += [("rate", users, "best", "reference", ">=", best), ("rate", users, "pool", "reference", ">=", pool),
                 ("p99", users, "best", "reference", "<=", 0.1), ("rate", users, "best", "pgbench", ">=", 0.30)]
        if users == 10:
            rows.append(("rate", users, "best", "asyncpg", ">=", 4.5))
    print("\nratios (medians over the rounds of the quotient within each round)")
    good = True
    for key, users, one, other, sign, limit in rows:
        if one not in sides or other not in sides:
            continue
        try:
            seen = ratio(users, one, other, key)
        except statistics.StatisticsError:
            good = False
            print(f"  BROKEN {key:<4} {one}/{other} at {users:>3} users: {other} nearly stood still in every round")
            continue
        holds = seen >= limit if sign == ">=" else seen <= limit
        good &= holds
        print(f"  {'holds ' if holds else 'BROKEN'} {key:<4} {one}/{other} at {users:>3} users: {seen:7.3f}  (wanted {sign} {limit})")
    for users in all_users if {"pinged", "reference"} <= set(sides) else []:
        try:
            print(f"         rate pinged/reference at {users:>3} users: {ratio(users, 'pinged', 'reference'):7.3f}  (nothing is promised)")
        except statistics.StatisticsError:
            print(f"         rate pinged/reference at {users:>3} users: reference nearly stood still in every round")
    for name in [n for n in ("best", "pool", "pinged") if n in sides]:
        mine = [t for u in all_users for t in trials.get((u, name), [])]
        errors, lost, dropped = (sum(t[k] for t in mine) for k in ("errors", "lost", "dropped"))
        holds = errors == lost == dropped == 0
        good &= holds
        print(f"  {'holds ' if holds else 'BROKEN'} {name}: {errors:.0f} errors, {lost:.0f} requests lost, {dropped} log lines left out")
    if "nolog" in sides:
        for users in all_users:
            cost = [a["cpu"]["app"] - b["cpu"]["app"] for a, b in zip(trials[users, "best"], trials[users, "nolog"])]
            print(f"  the request log at {users:>3} users: {middle(cost):.2f} µs of the API's CPU a request")
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--users", default="10,100")
    parser.add_argument("--sides", default=",".join(ALL))
    parser.add_argument("--fresh", action="store_true", help="make the rows anew, keep nothing of them")
    parser.add_argument("--json", help="write every trial here")
    options = parser.parse_args()
    sides, all_users = options.sides.split(","), [int(n) for n in options.users.split(",")]
    if len(os.sched_getaffinity(0)) > 2:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    bench, trials = Bench(options), {}
    # A signal ends what was started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        bench.serve()
        if unknown := set(sides) - set(ALL) - set(bench.plans):
            missing(f"no side {', '.join(unknown)}: there are {', '.join(ALL)} and the variants of experiments/lookup.toml")
        up = {name: bench.side(name) for name in sides if name != "pgbench"}
        for side in up.values():
            bench.drive(side, 10, 2)
        for users in all_users:
            for turn in range(options.rounds):
                for name in sides[turn % len(sides):] + sides[:turn % len(sides)]:
                    one = bench.pgbench(users, options.seconds) if name == "pgbench" else bench.drive(up[name], users, options.seconds)
                    trials.setdefault((users, name), []).append(one)
                    print(f"  round {turn + 1}, {users:>3} users, {name:<10} {one['rate']:>8.0f}/s  p99 {one['p99']:.2f} ms", flush=True)
        for users in all_users:
            table(trials, users, sides)
        good = judge(trials, sides, all_users)
        load = open("/proc/loadavg").read().split()
        print(f"\n{options.rows} rows, {options.rounds} rounds of {options.seconds} s; load average of the machine at the end: {load[0]}")
        if options.json:
            flat = [{"users": u, "side": s, **t} for (u, s), list_ in trials.items() for t in list_]
            json.dump(flat, open(options.json, "w"), indent=1)
    finally:
        bench.stop()
    sys.exit(0 if good else 1)


main()
