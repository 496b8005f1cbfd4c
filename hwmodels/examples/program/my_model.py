#!/usr/bin/env python3
"""A hardware model as a program: Python's standard library and nothing else.

An accelerator with `lanes` multiply-accumulate lanes for 8 bits (half as many for 16, a quarter for 32), one DRAM channel,
and a vector unit for everything that multiplies nothing. A layer takes as long as the slower of its arithmetic and its
traffic. All numbers are options of the device file (my_program.json) and made up.

What is said: one JSON object a line. First a hello, then a line of designs and a line of costs, until the input ends.
Standard output belongs to the answers; print what else there is to say to standard error.
"""
import json
import sys

BITS = {"f32": 32, "f16": 16, "bf16": 16, "int16": 16, "int8": 8, "e4m3": 8, "e5m2": 8}


def bits_of(text):
    """Of a format such as "int8@channel", or None where this accelerator has no arithmetic for it."""
    return BITS.get(text.split("@")[0])


def layer_cost(layer, o):
    if layer["macs"] > 0:
        widths = [bits_of(layer["weights"]), bits_of(layer["activations"])]
        if None in widths:
            raise ValueError(f'no arithmetic for {layer["weights"]} by {layer["activations"]}')
        lanes = o["lanes"] * 8 / max(widths)
        # A depthwise convolution has one input channel a group: most of the lanes wait.
        if layer["groups"] > 1 and layer["groups"] == layer["in"][0]:
            lanes /= o["depthwise_penalty"]
        compute_s = layer["macs"] / (lanes * o["clock_hz"])
    else:
        elements = layer["batch"] * layer["out"][0] * layer["out"][1] * layer["out"][2]
        compute_s = elements / (o["vector_lanes"] * o["clock_hz"])
    moved = layer["weight_bytes"] + layer["input_bytes"] + layer["output_bytes"]
    dram_s = moved / o["dram_bytes_per_s"]
    return {
        "latency_s": max(compute_s, dram_s) + o["layer_overhead_s"],
        "energy_j": layer["macs"] * o["joules_per_mac"] + moved * o["joules_per_dram_byte"],
        "bound_by": "compute" if compute_s >= dram_s else "DRAM",
    }


def design_cost(design, o):
    try:
        layers = [layer_cost(layer, o) for layer in design["layers"]]
    except ValueError as problem:
        return {"unsupported": str(problem)}
    latency_s = sum(layer["latency_s"] for layer in layers)
    return {
        "latency_s": latency_s,
        "energy_j": sum(layer["energy_j"] for layer in layers) + o["idle_w"] * latency_s,
        "resources": {"sram_bytes": design["peak_bytes"]},
        "layers": layers,
    }


def say(message):
    # NaN and infinity are no JSON: better an error here, with its place, than a line that cannot be read.
    print(json.dumps(message, allow_nan=False), flush=True)


def main():
    hello = json.loads(sys.stdin.readline())
    if hello["ridgeline_hwmodel"] != 1:
        sys.exit(f'this program speaks version 1, Ridgeline {hello["ridgeline_hwmodel"]}')
    options = hello["options"]
    say({"ridgeline_hwmodel": 1, "energy": True,
         "resources": [{"name": "sram_bytes", "available": options["sram_bytes"]}]})
    for line in sys.stdin:
        request = json.loads(line)
        say({"batch": request["batch"], "costs": [design_cost(design, options) for design in request["designs"]]})


if __name__ == "__main__":
    main()
