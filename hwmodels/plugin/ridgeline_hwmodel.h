/* A hardware model of your own as a shared library: what Ridgeline calls in it.
 *
 * The library exports one function, ridgeline_hwmodel(), which gives a table of functions. A device file names it:
 *
 *   {"ridgeline_device": 1, "model": "library", "name": "mine", "library": "./libmine.so", "options": {"clock_hz": 1e9}}
 *
 * Rules of both sides:
 *   - Plain C data. Texts are UTF-8 and end in '\0'. What one side gives, it owns; pointers that Ridgeline gives hold
 *     until the call returns.
 *   - An error is a text, written to a buffer of Ridgeline's with its size (with the ending '\0'; snprintf fits).
 *     Longer texts are cut. No C++ exception may leave a function.
 *   - Calls come one at a time, from any thread. Equal designs must have equal costs, whatever was asked before: searches
 *     are resumed and compared on that. No clock, no random numbers, nothing printed.
 *   - SI units: seconds, joules, bytes. Every number must be finite and not negative.
 *   - The library runs inside Ridgeline. A call that takes longer than the device file's "timeout_s" (600) or a crash
 *     ends the search with a message; what was stored stays, and `ridgeline resume` goes on. A program
 *     ("model": "program") is ended and started again instead.
 *
 * This header is C99 and C++. It changes only together with RIDGELINE_HWMODEL_VERSION, and Ridgeline refuses a library
 * that was built with another version, naming both.
 */
#ifndef RIDGELINE_HWMODEL_H
#define RIDGELINE_HWMODEL_H

#include <stddef.h>
#include <stdint.h>

#define RIDGELINE_HWMODEL_VERSION 1

#if defined(_WIN32)
#define RIDGELINE_HWMODEL_EXPORT __declspec(dllexport)
#else
#define RIDGELINE_HWMODEL_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A layer as an inference library executes it: batch norms are folded into the weights; one activation and one residual
 * addition may be fused into a convolution, linear layer or product. Layers come in an order in which they can run. */
typedef struct ridgeline_layer {
  const char* name;       /* of the operator that gives it its kind */
  const char* kind;       /* "conv2d", "linear", "matmul", "add", "max_pool", "softmax" ... */
  const char* activation; /* fused after it: "relu6"; "" = none */
  int32_t adds;           /* 1: a second tensor is added to the result before the activation */
  int32_t entry, exit;    /* 1: it reads an input, makes an output of the network */
  int64_t batch;
  int64_t in[3], out[3]; /* images: channels, height, width; linear: features, rows, 1; matmul: inner, rows, 1 */
  int32_t kernel[2], stride[2], dilation[2]; /* height, width */
  int64_t groups;                            /* == in[0] > 1: depthwise */
  const char* weights;                       /* number formats: "f32", "int8@channel", "e4m3" ... as it reads them */
  const char* activations;
  const char* stored_in; /* as its first input and its output lie in memory */
  const char* stored_out;
  int64_t macs;         /* multiply-accumulates */
  int64_t weight_bytes; /* kernel, scales, bias */
  int64_t input_bytes, output_bytes;
  const int32_t* inputs; /* the layers it reads, by index; -1 = an input of the network */
  size_t input_count;
} ridgeline_layer;

typedef struct ridgeline_design {
  const ridgeline_layer* layers;
  size_t layer_count;
  int64_t weight_bytes;          /* of all layers */
  int64_t peak_activation_bytes; /* the largest sum of tensors alive at once */
  const char* hardware_json;     /* what the space's "hardware" gives this design, a JSON object; "" = nothing */
  const char* schedule_json;     /* the same of "schedule" */
} ridgeline_design;

enum { RIDGELINE_OK = 0, RIDGELINE_UNSUPPORTED = 1, RIDGELINE_FAILED = 2 };

/* What a design costs. Everything is 0 before the call; the arrays are Ridgeline's. */
typedef struct ridgeline_cost {
  int32_t status;          /* RIDGELINE_UNSUPPORTED: the device cannot run it. RIDGELINE_FAILED: you cannot tell */
  char* reason;            /* why not, for people; numbers of the design's own make reasons hard to count */
  size_t reason_size;      /* of the buffer */
  double latency_s;        /* of one inference of the whole batch */
  double energy_j;         /* where the model has energy */
  double* layer_latency_s; /* layer_count each; may stay 0 */
  double* layer_energy_j;
  double* resources; /* resource_count: what the design takes of each */
} ridgeline_cost;

/* What a model gives; filled by create(), its pointers hold until destroy(). Everything is 0 before the call. */
typedef struct ridgeline_abilities {
  int32_t has_energy;
  size_t resource_count; /* of things a design takes and the device has so much of: "luts", "sram_bytes" */
  const char* const* resource_names;
  const double* resource_available; /* 0 = no limit; NULL: none has one */
  const char* fingerprint;          /* changes when the numbers do; NULL: Ridgeline takes the library file's bytes */
} ridgeline_abilities;

typedef struct ridgeline_hwmodel_functions {
  uint32_t version; /* RIDGELINE_HWMODEL_VERSION; stays the first member in every version */
  /* `options`: the device file's "options" as JSON text, "{}" where it has none. NULL = failed, error says why. */
  void* (*create)(const char* options, ridgeline_abilities* abilities, char* error, size_t error_size);
  /* Fills count costs. Not 0 = none of them is good, error says why. */
  int32_t (*estimate)(void* model, const ridgeline_design* designs, size_t count, ridgeline_cost* costs, char* error,
                      size_t error_size);
  void (*destroy)(void* model);
} ridgeline_hwmodel_functions;

/* What the library exports. */
RIDGELINE_HWMODEL_EXPORT const ridgeline_hwmodel_functions* ridgeline_hwmodel(void);

#ifdef __cplusplus
}
#endif

#endif
