"""Runs a group with a bridge to another one, lets players loose on it, has a real
Prometheus read every daemon, and looks at what that has:

- every time series that a daemon shows is in deploy/METRICS.md, with its labels and
  their values, and has HELP and TYPE as they are there;
- every query of the dashboard in deploy/grafana gives data;
- every rule of deploy/prometheus can be evaluated, and those that should, fire.

Everything that is started ends with this."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
BINARIES = ROOT / "target/debug"
DEADLINE = 60
# An address that no other run on this machine has.
PID = os.getpid()
ADDRESS = f"127.{32 | PID >> 16 & 31}.{PID >> 8 & 255}.{PID & 255}"

WORLD = f"""
group = "world"
[master]
listen = "{ADDRESS}:10241"
http = "{ADDRESS}:10341"
[slaves."slave@0"]
listen = "{ADDRESS}:10251"
http = "{ADDRESS}:10351"
[gates."gate@0"]
tcp = "{ADDRESS}:10242"
websocket = "{ADDRESS}:10243"
http = "{ADDRESS}:10342"
[scenes."scene@0"]
script = "{HERE / 'world.py'}"
http = "{ADDRESS}:10344"
state_dir = "state"
[security]
authority = "authority.pem"
certificate = "{{name}}.pem"
key = "{{name}}.key"
"""

ARENA = f"""
group = "arena"
[master]
listen = "{ADDRESS}:10441"
http = "{ADDRESS}:10541"
[scenes."scene@0"]
script = "{HERE / 'world.py'}"
http = "{ADDRESS}:10544"
[exports.greeting]
groups = ["world"]
services = ["*"]
cmds = [200]
"""

BRIDGE = f"""
[bridges."bridge@0"]
http = "{ADDRESS}:10361"
[[groups]]
name = "world"
master = "{ADDRESS}:10241"
authority = "authority.pem"
certificate = "{{name}}.pem"
key = "{{name}}.key"
[[groups]]
name = "arena"
master = "{ADDRESS}:10441"
"""

TARGETS = [
    ("world", "master@0", 10341),
    ("world", "slave@0", 10351),
    ("world", "gate@0", 10342),
    ("world", "scene@0", 10344),
    ("arena", "master@0", 10541),
    ("arena", "scene@0", 10544),
    ("", "bridge@0", 10361),
]


def main(picture=None):
    with contextlib.ExitStack() as ends:
        folder = pathlib.Path(ends.enter_context(tempfile.TemporaryDirectory()))
        (folder / "state").mkdir()
        certificates(folder)
        for name, text in (("world", WORLD), ("arena", ARENA), ("bridge", BRIDGE)):
            (folder / f"{name}.toml").write_text(text)
            start(ends, folder, BINARIES / "redrabbit", "up", folder / f"{name}.toml")
        prometheus = start_prometheus(ends, folder)
        for group, node, port in TARGETS:
            wait(f"{node} {group} is ready", lambda: get(f"http://{ADDRESS}:{port}/readyz"))
        bots = [BINARIES / "redrabbit", "bots", "--tcp", f"{ADDRESS}:10242"]
        # Some who come and go, and some who stay.
        subprocess.run([*bots, "--count", "5", "--duration", "1s", "--name", "guest-"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=DEADLINE)
        start(ends, folder, *bots, "--count", "30", "--duration", "10m")
        if picture:
            draw(prometheus, picture)
            return
        panels(prometheus)
        catalogue()
        rules(prometheus)


def draw(prometheus, file):
    import picture
    time.sleep(picture.SECONDS)
    dashboard = json.loads((ROOT / "deploy/grafana/redrabbit.json").read_text())
    picture.draw(dashboard, lambda page, **asked: ask(prometheus, page, **asked), file)
    print(f"drawn in {file}")


def certificates(folder):
    """What the nodes of world show each other, signed by its authority."""
    def openssl(*words):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-noenc", *words],
                       check=True, stderr=subprocess.DEVNULL, cwd=folder, timeout=DEADLINE)

    openssl("-days", "400", "-subj", "/CN=world", "-keyout", "authority.key",
            "-out", "authority.pem")
    for role in ("master", "slave", "gate", "scene", "bridge"):
        openssl("-days", "90", "-subj", f"/CN={role}", "-addext",
                "basicConstraints=critical,CA:FALSE", "-addext",
                f"subjectAltName=DNS:0.{role}.world", "-CA", "authority.pem",
                "-CAkey", "authority.key", "-keyout", f"{role}@0.key", "-out", f"{role}@0.pem")


def start(ends, folder, *command):
    """Starts a program, which is ended in the end; its log is shown on failure."""
    log = (folder / f"{len(list(folder.glob('*.log')))}.log").open("w+")
    process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log,
                               stdin=subprocess.DEVNULL)

    def end(kind, *_):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if kind is not None:
            log.seek(0)
            lines = log.read().splitlines()[-15:]
            print(f"--- {command[0]} {command[1]}", *lines, sep="\n", file=sys.stderr)

    ends.push(end)
    return process


def start_prometheus(ends, folder):
    """Starts it with the project's own configuration, but for how often it looks."""
    config = (ROOT / "deploy/prometheus/prometheus.yml").read_text()
    rules_file = ROOT / "deploy/prometheus/rules.yml"
    (folder / "targets").mkdir()
    entries = []
    for group, node, port in TARGETS:
        labels = {"node": node, "role": node.split("@")[0]}
        # A bridge is of several groups.
        labels |= {"group": group} if group else {}
        entries.append({"targets": [f"{ADDRESS}:{port}"], "labels": labels})
    # JSON is YAML, too.
    (folder / "targets/test.yml").write_text(json.dumps(entries))
    config = config.replace("_interval: 15s", "_interval: 1s")
    config = config.replace("- rules.yml", f"- {rules_file}")
    (folder / "prometheus.yml").write_text(config)
    start(ends, folder, "prometheus", f"--config.file={folder / 'prometheus.yml'}",
          f"--storage.tsdb.path={folder / 'data'}",
          f"--web.listen-address={ADDRESS}:9090")
    return f"http://{ADDRESS}:9090"


def panels(prometheus):
    """Every query of every panel gives data, with labels for its legend."""
    dashboard = json.loads((ROOT / "deploy/grafana/redrabbit.json").read_text())
    numbers, count = set(), 0
    for panel in dashboard["panels"]:
        assert panel["id"] not in numbers, panel["title"]
        numbers.add(panel["id"])
        if panel["type"] == "row":
            continue
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "10s")
            query = query.replace("$group", ".*").replace("$node", ".*")
            assert "$" not in query, query
            what = f"panel '{panel['title']}' has data: {query}"
            found = wait(what, lambda: ask(prometheus, "query", query=query)["result"])
            labels = re.findall(r"{{(\w+)}}", target["legendFormat"])
            shown = [series["metric"] for series in found]
            for label in labels:
                # Where the metric has a group of its own, one of the two names is it.
                either = ("group", "exported_group") if "group" in label else (label,)
                assert any(name in series for series in shown for name in either), (
                    f"{panel['title']}: no {label} in {shown}")
            values = [float(series["value"][1]) for series in found]
            assert all(value == value for value in values) or "quantile" in query, what
            count += 1
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            query = variable["query"]["query"]
            label = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
            series = label[1].replace("$group", ".*")
            assert any(label[2] in found["metric"]
                       for found in ask(prometheus, "query", query=series)["result"]), query
    print(f"{count} queries of the dashboard have data")


def catalogue():
    """What daemons show is what the table says."""
    table = {}
    for line in (ROOT / "deploy/METRICS.md").read_text().splitlines():
        row = re.fullmatch(r"\| `(\w+)` \| (\w+) \| (\w*) \| (.*) \| (.*) \|", line)
        if row:
            name, kind, _, labels, help_text = row.groups()
            table[name] = (kind, dict(re.findall(r"`(\w+)`: (.*?)(?:; |$)", labels)), help_text)
    assert len(table) > 50, table
    shown = set()
    for group, node, port in TARGETS:
        helps, kinds = {}, {}
        for line in get(f"http://{ADDRESS}:{port}/metrics").splitlines():
            if line.startswith("# HELP "):
                _, _, name, helps[name] = line.split(" ", 3)
            elif line.startswith("# TYPE "):
                _, _, name, kinds[name] = line.split(" ", 3)
            elif line:
                name, labels = re.match(r"(\w+)(?:{(.*)})? \S+$", line).groups()
                base = re.sub(r"_(bucket|sum|count)$", "", name)
                name = base if kinds.get(base) == "histogram" else name
                where = f"{node} {group}: {line}"
                assert name in table, f"not in deploy/METRICS.md: {where}"
                kind, known, help_text = table[name]
                assert kinds.get(name) == kind, f"its TYPE is not {kind}: {where}"
                assert helps.get(name) == help_text, f"its HELP is not of the table: {where}"
                shown.add(name)
                for label, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""):
                    if label == "le" and kind == "histogram":
                        continue
                    assert label in known, f"label {label} is not in the table: {where}"
                    if known[label].startswith("`"):
                        values = re.findall(r"`([^`]+)`", known[label])
                        assert value in values, f"{label} has no such value: {where}"
    print(f"{len(shown)} of {len(table)} metrics are shown, each as the table has it")
    for name in ("redrabbit_node_call_duration_seconds", "process_start_time_seconds",
                 "redrabbit_script_info", "redrabbit_bridge_calls_total",
                 "redrabbit_certificate_expiry_timestamp_seconds"):
        assert name in shown, name


def rules(prometheus):
    """Each can be evaluated; errors of the script are seen, and no node is gone."""
    def evaluated():
        groups = ask(prometheus, "rules")["groups"]
        found = {rule["name"]: rule for group in groups for rule in group["rules"]}
        bad = {name: rule["lastError"] for name, rule in found.items() if rule["health"] == "err"}
        assert not bad, bad
        done = all(rule["health"] == "ok" for rule in found.values())
        return found if done and found["ScriptErrors"]["state"] == "firing" else None

    found = wait("ScriptErrors fires", evaluated)
    wrong = [name for name in ("NodeGone", "MembersMissing", "HandlerBlocked", "RestartLoop",
                               "GroupUnreachable", "GateFull", "EnginePanicked", "LinkFull",
                               "CertificateEnds", "CertificateEndsNow", "TlsHandshakesFail")
             if found[name]["state"] != "inactive"]
    assert not wrong, wrong
    print(f"{len(found)} rules are evaluated")


def ask(prometheus, page, **parameters):
    answer = get(f"{prometheus}/api/v1/{page}?{urllib.parse.urlencode(parameters)}")
    return json.loads(answer)["data"] if answer else {"result": [], "groups": []}


def get(url):
    """The page, if it is there and all is well."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        assert error.code == 503, f"{url}: {text}"
    except OSError:
        pass
    return None


def wait(what, look):
    """Looks until there is something to see."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {DEADLINE} s: {what}")


if __name__ == "__main__":
    main(*sys.argv[1:])
