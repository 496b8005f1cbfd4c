/* A hardware model as a shared library: C99, the header and nothing else.
 *
 * The same accelerator as in ../program/my_model.py, with fewer options: multiply-accumulate lanes, one DRAM channel, and
 * a scratchpad that a design takes so much of. All numbers are made up. */
#include <ridgeline_hwmodel.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  double lanes, clock_hz, dram_bytes_per_s, joules_per_mac, joules_per_dram_byte;
  double available[1];
} accelerator;

static const char* const resource_names[1] = {"sram_bytes"};

/* The number behind "key": in a flat JSON object. A model with more to read takes a JSON library. */
static int read_number(const char* json, const char* key, double* value, char* error, size_t error_size) {
  char quoted[64];
  const char* at;
  snprintf(quoted, sizeof quoted, "\"%s\":", key);
  at = strstr(json, quoted);
  if (at == NULL || sscanf(at + strlen(quoted), "%lf", value) != 1 || !(*value > 0)) {
    snprintf(error, error_size, "options: %s must be there, and positive", key);
    return 0;
  }
  return 1;
}

static void* create(const char* options, ridgeline_abilities* abilities, char* error, size_t error_size) {
  accelerator* made = calloc(1, sizeof *made);
  if (made == NULL) {
    snprintf(error, error_size, "no memory");
    return NULL;
  }
  if (!read_number(options, "lanes", &made->lanes, error, error_size) ||
      !read_number(options, "clock_hz", &made->clock_hz, error, error_size) ||
      !read_number(options, "dram_bytes_per_s", &made->dram_bytes_per_s, error, error_size) ||
      !read_number(options, "joules_per_mac", &made->joules_per_mac, error, error_size) ||
      !read_number(options, "joules_per_dram_byte", &made->joules_per_dram_byte, error, error_size) ||
      !read_number(options, "sram_bytes", &made->available[0], error, error_size)) {
    free(made);
    return NULL;
  }
  abilities->has_energy = 1;
  abilities->resource_count = 1;
  abilities->resource_names = resource_names;
  abilities->resource_available = made->available;
  return made;
}

/* 0: this accelerator has no arithmetic for the format. */
static int bits_of(const char* format) {
  if (strncmp(format, "int8", 4) == 0) return 8;
  if (strcmp(format, "f16") == 0 || strcmp(format, "bf16") == 0) return 16;
  return strcmp(format, "f32") == 0 ? 32 : 0;
}

static void estimate_one(const accelerator* device, const ridgeline_design* design, ridgeline_cost* cost) {
  size_t i;
  for (i = 0; i < design->layer_count; ++i) {
    const ridgeline_layer* layer = &design->layers[i];
    const double moved = (double)(layer->weight_bytes + layer->input_bytes + layer->output_bytes);
    double compute_s = 0, dram_s = moved / device->dram_bytes_per_s;
    if (layer->macs > 0) {
      const int a = bits_of(layer->weights), b = bits_of(layer->activations);
      if (a == 0 || b == 0) {
        cost->status = RIDGELINE_UNSUPPORTED;
        snprintf(cost->reason, cost->reason_size, "no arithmetic for %s by %s", layer->weights, layer->activations);
        return;
      }
      compute_s = (double)layer->macs * (a > b ? a : b) / 8 / (device->lanes * device->clock_hz);
    }
    cost->layer_latency_s[i] = compute_s > dram_s ? compute_s : dram_s;
    cost->layer_energy_j[i] = (double)layer->macs * device->joules_per_mac + moved * device->joules_per_dram_byte;
    cost->latency_s += cost->layer_latency_s[i];
    cost->energy_j += cost->layer_energy_j[i];
  }
  cost->resources[0] = (double)design->peak_activation_bytes;
}

static int32_t estimate(void* model, const ridgeline_design* designs, size_t count, ridgeline_cost* costs, char* error,
                        size_t error_size) {
  size_t i;
  (void)error;
  (void)error_size;
  for (i = 0; i < count; ++i) estimate_one(model, &designs[i], &costs[i]);
  return 0;
}

static void destroy(void* model) { free(model); }

const ridgeline_hwmodel_functions* ridgeline_hwmodel(void) {
  static const ridgeline_hwmodel_functions functions = {RIDGELINE_HWMODEL_VERSION, create, estimate, destroy};
  return &functions;
}
