#!/usr/bin/env python3
"""Off-chip traffic beyond the compulsory of ten library networks, by every solver of `ridgeline scratchpad`.

    experiments/peers/scratchpad_traffic.py build/release/bin/ridgeline [--of operator|order] [--share 1.0]

The networks: random ones (seeds 1, 2, ...) of the library's spaces in turn, the first ten in which least-recently-used
moves something beyond the compulsory in the network's own order; where it moves nothing, nothing can be won. The
scratchpad: what the largest operator needs with its weights (--of operator), or all that is alive at once in the
network's order (--of order), times --share.
"""
import argparse
import json
import subprocess
import sys

SPACES = ["nasbench201", "resnet", "mobilenet_v2", "vit_small", "mobiledets_small", "ofa_mobilenet_v3", "mobilenet_small",
          "nasbench_macro", "plain_cnn", "mobilenet_v2_mixed"]


def compare(program, space, seed, options):
    command = [program, "scratchpad", space, "--seed", str(seed), "--format", options.format, "--json"]
    if options.stream_weights:
        command.append("--stream-weights")

    def run(*more):
        return json.loads(subprocess.run(command + list(more), check=True, capture_output=True, text=True).stdout)

    if options.of == "operator":
        return run("--compare", "--share", str(options.share))
    peak = run("--solver", "lru")["order_peak_bytes"]
    return run("--compare", "--bytes", str(round(options.share * peak)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--of", choices=["operator", "order"], default="operator")
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--format", default="int8")
    parser.add_argument("--networks", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=4, help="of each space, at most")
    parser.add_argument("--stream-weights", action="store_true")
    options = parser.parse_args()
    rows, passed_over = [], []
    for seed in range(1, options.seeds + 1):
        for space in SPACES:
            if len(rows) == options.networks:
                break
            result = compare(options.program, space, seed, options)
            by = {one["solver"]: one for one in result["solvers"]}
            if by["lru"]["beyond_bytes"] == 0:
                passed_over.append(f"{space} {seed}")
                continue
            rows.append((f"{space} {seed}", result, by))
    print(f"{'network':24}{'operators':>10}{'scratchpad':>12}{'compulsory':>12}"
          + "".join(f"{name:>12}" for name in ("lru", "greedy", "divide", "exact", "bound")) + f"{'below lru':>11}{'s':>8}")
    shares = []
    for name, result, by in rows:
        below = 1 - by["exact"]["beyond_bytes"] / by["lru"]["beyond_bytes"]
        shares.append(below)
        print(f"{name:24}{result['operators']:>10}{result['scratchpad_bytes']:>12}{result['compulsory_bytes']:>12}"
              + "".join(f"{by[one]['beyond_bytes']:>12}" for one in ("lru", "greedy", "divide", "exact"))
              + f"{by['exact']['bound_bytes']:>12}{100 * below:>10.1f}%{by['exact']['seconds']:>8.2f}")
    if not rows:
        sys.exit("least-recently-used moves nothing beyond the compulsory in any of them")
    proved = sum(by["exact"]["optimal"] for _, _, by in rows)
    total = {name: sum(by[name]["beyond_bytes"] for _, _, by in rows) for name in ("lru", "exact")}
    print(f"mean of {len(rows)}: {100 * sum(shares) / len(shares):.1f} % below least-recently-used, of all their bytes "
          f"{100 * (1 - total['exact'] / total['lru']):.1f} %; {proved} proved optimal; "
          f"nothing to win in: {', '.join(passed_over) or 'none'}")


if __name__ == "__main__":
    main()
