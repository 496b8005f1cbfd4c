// What a multiply-accumulate costs in one unit of an array, by the formats of its operands.
//
//   parallel    a multiplier a unit: cycles and joules from tables by arithmetic ("int8") or by pair of weights and
//               activations ("int4*int8", as mixed-precision units have them: MixPE, Zhang et al., 2024); what has no
//               line of its own takes that of the wider operand, and then of what "format_as" says for it
//   bit-serial  weights come in `bits_per_cycle` bits at a time: ceil(bits of a weight / bits_per_cycle) cycles,
//   whatever
//               the element type is (BitMoD, Chen et al., HPCA 2025: two bits a cycle, 8-bit weights in 4 cycles, 3-
//               and 4-bit ones, minifloats too, in 2)
//   lookup      sums of `group` activations for every pattern of signs are in a table, and a lookup a weight bit stands
//               for `group` products: bits / group cycles (LUT Tensor Core, Mo et al., ISCA 2025). A symmetric table
//               has 2^(group - 1) entries, another 2^group
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "hwmodels/arithmetic.hpp"
#include "spaces/json_reader.hpp"

namespace ridgeline {

struct MacCost {
  double cycles = 1;
  double joules = 0;
};

class MultiplyUnit {
 public:
  // From the object "multiplier" of a device file; notes problems there. The path of every number that was read is
  // appended to `numbers`.
  static MultiplyUnit read(JsonReader& reader, std::vector<std::string>& numbers);

  // nullopt: the unit does not multiply these; `why` says which.
  std::optional<MacCost> mac(const Format& weights, const Format& activations, std::string& why) const;
  bool has_energy() const { return energy_; }
  double area_mm2() const { return area_mm2_; }

 private:
  enum class Kind : std::uint8_t { parallel, bit_serial, lookup };
  using Table = std::array<std::array<double, arithmetic_count>, arithmetic_count>;  // [weights][activations]; 0: none

  void read_parallel(JsonReader& reader, std::vector<std::string>& numbers);
  void read_serial(JsonReader& reader, std::vector<std::string>& numbers);

  Kind kind_ = Kind::parallel;
  Table cycles_{}, joules_{};
  std::array<bool, arithmetic_count> activations_{};  // bit-serial, lookup
  int most_weight_bits_ = 8, bits_per_cycle_ = 1, group_ = 1;
  double joules_per_cycle_ = 0, area_mm2_ = 0;
  bool energy_ = false;
};

}  // namespace ridgeline
