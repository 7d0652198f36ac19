#pragma once

#include <cstddef>
#include <cstdint>

// Included where vector code is compiled: nothing here may bring in inline functions of the
// standard library, or the linker could pick a copy that the CPU cannot run.

/// The ways to compute Keccak-f[1600], and which of them is in use.
namespace blobvm::detail {

constexpr std::size_t kKeccakWords = 25;
constexpr std::size_t kKeccakRate = 136;    ///< bytes that one permutation absorbs for 256 bits
constexpr std::size_t kMaxKeccakLanes = 8;  ///< most messages that go through at once

/// One way to compute.
struct KeccakCode {
    /// Absorbs `count` blocks that lie back to back into one state.
    void (*absorb)(std::uint64_t* state, const std::byte* blocks, std::size_t count);

    /// How many states `absorb_lanes` takes; 1 if there is no such code.
    std::size_t lanes;

    /// Absorbs one block into each of `lanes` states: word i of lane l is states[i * lanes + l].
    /// `states` is aligned to 64 bytes.
    void (*absorb_lanes)(std::uint64_t* states, const std::byte* const* blocks);
};

enum class KeccakPath {
    kScalar,  ///< any CPU
    kAvx2,    ///< AVX2 and BMI2: four lanes
    kAvx512,  ///< AVX-512 F and VL: eight lanes, and a faster single one
};
constexpr KeccakPath kAllKeccakPaths[] = {KeccakPath::kScalar, KeccakPath::kAvx2,
                                          KeccakPath::kAvx512};

const char* name(KeccakPath path);

/// Whether this CPU and its operating system can run it.
bool is_supported(KeccakPath path);
KeccakPath best_keccak_path();

/// What all of Keccak goes through from now on; for tests and benchmarks, with one thread.
void use_keccak_path(KeccakPath path);

const KeccakCode& keccak_code();

}  // namespace blobvm::detail
