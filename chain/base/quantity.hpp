#pragma once

#include <compare>
#include <cstdint>
#include <optional>

namespace blobvm {

/// An unsigned 64-bit number of one kind of thing. Arithmetic is checked: an empty result means
/// that the true one does not fit (decisions.md 1: no fee ever wraps).
template <class Tag>
struct Quantity {
    std::uint64_t value = 0;

    friend auto operator<=>(const Quantity&, const Quantity&) = default;
};

template <class Tag>
std::optional<Quantity<Tag>> add(Quantity<Tag> a, Quantity<Tag> b) {
    std::uint64_t sum = 0;
    if (__builtin_add_overflow(a.value, b.value, &sum)) return std::nullopt;
    return Quantity<Tag>{sum};
}

template <class Tag>
std::optional<Quantity<Tag>> subtract(Quantity<Tag> a, Quantity<Tag> b) {
    if (a < b) return std::nullopt;
    return Quantity<Tag>{a.value - b.value};
}

using Amount = Quantity<struct AmountTag>;      ///< BLB
using FeeUnits = Quantity<struct FeeUnitsTag>;  ///< what a transaction weighs
using Price = Quantity<struct PriceTag>;        ///< BLB per fee unit
using BlockCost =
    Quantity<struct BlockCostTag>;  ///< fee units that a block must pay beyond its price

/// What `units` cost at `price`; empty if that does not fit.
inline std::optional<Amount> fee(Price price, FeeUnits units) {
    std::uint64_t product = 0;
    if (__builtin_mul_overflow(price.value, units.value, &product)) return std::nullopt;
    return Amount{product};
}

/// The surplus that a block at `price` with `cost` must gather; empty if that does not fit.
inline std::optional<Amount> required_surplus(Price price, BlockCost cost) {
    std::uint64_t product = 0;
    if (__builtin_mul_overflow(price.value, cost.value, &product)) return std::nullopt;
    return Amount{product};
}

}  // namespace blobvm
