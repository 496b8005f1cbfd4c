#!/usr/bin/env python3
"""Search quality beside Optuna and pagmo2: the same problem, seeds and numbers of distinct evaluations.

    sudo apt-get install python3-optuna     # and for --pagmo what pagmo/pagmo_search.cpp names
    RIDGELINE_DATA=... /usr/bin/python3 experiments/peers/search_quality.py build/release/bin/ridgeline \\
        nasbench_macro_accuracy --evaluations 50 100 --seeds 100

The problem's every candidate is evaluated once by Ridgeline's exhaustive search, and both sides look it up: a study of one
or two objectives whose space can be enumerated. Optuna's samplers get one categorical variable a dimension, pagmo2's algorithms
one integer. A candidate a sampler proposes again is no evaluation; a run that proposes 20 times as many candidates as it may evaluate ends.
Prints a Markdown table: the share of runs that found the optimum, or the hypervolume as a share of the exact front's;
means with 95 % intervals of the normal distribution, and the time that choosing a candidate took.
"""
import argparse
import csv
import itertools
import json
import math
import os
import statistics
import subprocess
import tempfile
import time
import warnings

import optuna

SAMPLERS = {
    "optuna TPE": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "optuna TPE, multivariate": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True),
    "optuna NSGA-II": lambda seed: optuna.samplers.NSGAIISampler(seed=seed),
    "optuna NSGA-II, 20": lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=20),
    "optuna random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Problem:
    """Every candidate of a study with its values, and what Ridgeline says of the exact answer."""

    def __init__(self, program, study, reference):
        with tempfile.TemporaryDirectory() as folder:
            database, table = os.path.join(folder, "all.db"), os.path.join(folder, "all.csv")
            run(program, "search", study, "--set", "searcher.name=exhaustive", "--set", "stop.trials=1000000",
                "--db", database, "--quiet")
            report = json.loads(run(program, "report", study, "--db", database, "--csv", table, "--json"))
            with open(table, encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if row["status"] == "ok"]
        self.objectives = [objective["name"] for objective in report["objectives"]]
        self.signs = [-1 if objective["direction"] == "maximise" else 1 for objective in report["objectives"]]
        columns = list(rows[0])
        self.dimensions = columns[columns.index("reason") + 1:]
        self.choices = {name: sorted({row[name] for row in rows}) for name in self.dimensions}
        self.values = {tuple(row[name] for name in self.dimensions): tuple(float(row[name]) for name in self.objectives)
                       for row in rows}
        words = [word for value in reference for word in ("--reference", value)]
        bench = json.loads(run(program, "bench", study, "--searcher", "random", "--seeds", "1", "--evaluations", "1", "--json",
                               "--quiet", *words))
        self.optimum, self.reference = bench["optimum"], bench["reference"]
        self.ideal = 1.0
        if len(self.objectives) > 1:
            self.ideal = self.hypervolume(list(self.values.values()))

    def hypervolume(self, values):
        """Of two objectives, each in its own direction, above the reference point."""
        points = sorted([s * v for s, v in zip(self.signs, value)] for value in values)
        edge = [s * v for s, v in zip(self.signs, self.reference)]
        volume, lowest = 0.0, edge[1]
        for first, second in points:
            if first < edge[0] and second < lowest:
                volume += (edge[0] - first) * (lowest - second)
                lowest = second
        return volume

    def quality(self, values):
        if len(self.objectives) == 1:
            best = min(values) if self.signs[0] > 0 else max(values)
            return float(math.isclose(best[0], self.optimum, rel_tol=1e-12))
        return self.hypervolume(values) / self.ideal


def one_run(problem, sampler, budgets):
    """The quality at each budget, and the seconds a proposal."""
    directions = ["minimize" if sign > 0 else "maximize" for sign in problem.signs]
    study = optuna.create_study(directions=directions, sampler=sampler)
    spaces = {name: optuna.distributions.CategoricalDistribution(problem.choices[name]) for name in problem.dimensions}
    seen, order, qualities, asked, begin = set(), [], [], 0, time.perf_counter()
    for budget in budgets:
        while len(order) < budget and asked < 20 * budgets[-1]:
            trial = study.ask(spaces)
            asked += 1
            key = tuple(trial.params[name] for name in problem.dimensions)
            study.tell(trial, list(problem.values[key]))
            if key not in seen:
                seen.add(key)
                order.append(problem.values[key])
        qualities.append(problem.quality(order))
    return qualities, (time.perf_counter() - begin) / asked


def pagmo_runs(problem, program, algorithm, population, budgets, seeds):
    """The qualities at each budget, one list a seed."""
    keys = [tuple(key) for key in itertools.product(*(problem.choices[name] for name in problem.dimensions))]
    lines = [" ".join(str(len(problem.choices[name])) for name in problem.dimensions)]
    lines += [" ".join(repr(sign * value) for sign, value in zip(problem.signs, problem.values[key])) for key in keys]
    written = subprocess.run([program, algorithm, str(population), str(budgets[-1]), str(seeds)], input="\n".join(lines),
                             check=True, capture_output=True, text=True).stdout
    for line in written.splitlines():
        order = [problem.values[keys[row]] for row in dict.fromkeys(map(int, line.split()))]
        yield [problem.quality(order[:budget]) for budget in budgets]


def interval(values):
    half = 1.96 * statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):.4f} ± {half:.4f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("study")
    parser.add_argument("--evaluations", type=int, nargs="+", default=[50, 100])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--reference", action="append", default=[], help="as of ridgeline bench")
    parser.add_argument("--pagmo", help="the program of pagmo/pagmo_search.cpp")
    parser.add_argument("--searchers", nargs="+", default=["auto"], help="of Ridgeline")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    problem = Problem(arguments.program, arguments.study, arguments.reference)
    budgets = sorted(arguments.evaluations)
    single = len(problem.objectives) == 1
    print(f"| {arguments.study}: {'share that found the optimum' if single else 'share of the exact hypervolume'} | "
          + " | ".join(f"at {budget}" for budget in budgets) + " | ms a proposal |")
    print("|---|" + "---|" * (len(budgets) + 1))

    words = [word for value in arguments.reference for word in ("--reference", value)]
    words += [word for budget in budgets[:-1] for word in ("--at", str(budget))]
    words += [word for name in arguments.searchers for word in ("--searcher", name)]
    bench = json.loads(run(arguments.program, "bench", arguments.study, "--seeds", str(arguments.seeds), "--evaluations",
                           str(budgets[-1]), "--cache", "genome", "--json", "--quiet", "--threads", "1", *words))
    for row in bench["rows"]:
        cells = []
        for cell in row["at"]:
            share = cell["found_optimum"] / arguments.seeds if single else cell["mean"]
            low, high = cell["found_interval"] if single else cell["interval"]
            cells.append(f"{share:.4f} ± {(high - low) / 2:.4f}")
        print(f"| ridgeline {row['label']} | {' | '.join(cells)} | {(row['ask_us'] + row['tell_us']) / 1e3:.2f} |", flush=True)
    for name, make in SAMPLERS.items():
        runs = [one_run(problem, make(seed), budgets) for seed in range(1, arguments.seeds + 1)]
        cells = [interval([qualities[i] for qualities, _ in runs]) for i in range(len(budgets))]
        print(f"| {name} | {' | '.join(cells)} | {1e3 * statistics.mean(seconds for _, seconds in runs):.2f} |", flush=True)
    for algorithm in (("gaco", "sga", "ihs") if single else ("nsga2",)) if arguments.pagmo else ():
        population = 20  # of those tried (12, 20, 40) the best at 100
        runs = list(pagmo_runs(problem, arguments.pagmo, algorithm, population, budgets, arguments.seeds))
        cells = [interval([qualities[i] for qualities in runs]) for i in range(len(budgets))]
        print(f"| pagmo2 {algorithm} | {' | '.join(cells)} | – |", flush=True)


if __name__ == "__main__":
    main()
