"""A program for tests that does wrong what its first argument says; "good" answers as it should."""
import json
import os
import signal
import sys
import time

FAULT = sys.argv[1]
# How many answers "dies after" has left: a file in the folder argv[2].
LEFT = os.path.join(sys.argv[2], "left") if len(sys.argv) > 2 else None


def say(message):
    print(message if isinstance(message, str) else json.dumps(message), flush=True)


def cost_of(design):
    macs = sum(layer["macs"] for layer in design["layers"])
    cost = {"latency_s": 1e-9 * macs + 1e-6, "energy_j": 1e-12 * macs + 1e-9, "resources": {"luts": 5}}
    if FAULT == "nan":
        cost["latency_s"] = float("nan")
    if FAULT == "negative":
        cost["energy_j"] = -1
    if FAULT == "text":
        cost["latency_s"] = "fast"
    if FAULT == "typo":
        cost["latency"] = cost.pop("latency_s")
    if FAULT == "unsupported":
        cost = {"unsupported": "no such\narithmetic"}
    if FAULT == "failed":
        cost = {"failed": "the table has no such row"}
    if FAULT == "layers":
        cost["layers"] = [{"latency_s": 1e-6}]
    return cost


def marked(request):
    """A design that the faults "marked ..." stumble over."""
    return any(len(design["layers"]) % 3 == 0 for design in request["designs"])


def answer(request):
    if FAULT == "crash" or (FAULT == "marked crash" and marked(request)):
        print("first\nmade up: the table has no such row", file=sys.stderr, flush=True)
        sys.exit(3)
    if FAULT == "signal":
        os.kill(os.getpid(), signal.SIGSEGV)
    if FAULT == "hang" or (FAULT == "marked hang" and marked(request)):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("still thinking", file=sys.stderr, flush=True)
        while True:
            time.sleep(1)
    if FAULT == "garbage":
        return say("loading the table ...")
    if FAULT == "two lines":
        sys.stdout.write('{"batch": 1, "costs": []}\n{"batch": 1}\n')
        return sys.stdout.flush()
    if FAULT == "partial, hangs":
        sys.stdout.write('{"batch": 1, "co')
        sys.stdout.flush()
        return time.sleep(100)
    if FAULT == "partial, ends":
        sys.stdout.write('{"batch": 1, "co')
        sys.exit(0)
    if FAULT == "huge":
        for _ in range(1024):
            sys.stdout.write("x" * (1 << 20))
        return say("")
    if FAULT == "flood":
        for _ in range(3000):
            print("a warning " * 100, file=sys.stderr)
    if FAULT == "flood, hangs":
        while True:
            sys.stderr.write("a warning\n" * 100)
    if FAULT == "grandchild":
        if os.fork() == 0:
            time.sleep(100)
        os._exit(0)
    costs = [cost_of(design) for design in request["designs"]]
    if FAULT == "count":
        costs = costs[1:]
    say({"batch": 0 if FAULT == "batch" else request["batch"], "costs": costs})
    if FAULT == "dies after" and count_down():
        sys.exit(4)


def count_down():
    """Says whether this was the last answer."""
    left = answers_left() - 1
    with open(LEFT, "w") as file:
        file.write(str(left))
    return left <= 0


def answers_left():
    with open(LEFT) as file:
        return int(file.read())


def main():
    if FAULT == "exits at once":
        sys.exit("no licence")
    if FAULT == "silent":
        time.sleep(100)
    sys.stdin.readline()
    if FAULT == "dies after" and answers_left() <= 0:
        sys.exit("the licence server is away")
    if FAULT == "hello is garbage":
        return say("hello")
    hello = {"ridgeline_hwmodel": 7 if FAULT == "version" else 1, "energy": True,
             "resources": [{"name": "luts", "available": 100}]}
    if FAULT == "stated":
        hello["fingerprint"] = "version 3"
    say(hello)
    if FAULT == "closes its input":
        os.close(0)
        time.sleep(100)
    for line in sys.stdin:
        answer(json.loads(line))


main()
