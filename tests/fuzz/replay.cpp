// Runs a fuzz target without a fuzzer: on every file of a folder, and on mutations of them that
// are the same in every run.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

constexpr int kMutations = 2000;
constexpr std::size_t kMaxInputBytes = 1 << 20;

/// The inputs of `folder`, by name: directories list in no order of their own.
std::vector<Input> read_inputs(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<Input> inputs;
    for (const auto& path : paths) {
        std::ifstream file{path, std::ios::binary};
        inputs.emplace_back(std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{});
    }
    return inputs;
}

/// A source of choices that no standard library may implement in another way.
class Choices {
  public:
    std::size_t below(std::size_t limit) { return limit == 0 ? 0 : engine_() % limit; }
    std::uint8_t byte() { return static_cast<std::uint8_t>(engine_()); }

  private:
    std::mt19937_64 engine_{20221115};
};

void mutate(Input& input, const Input& other, Choices& choices) {
    const std::size_t at = choices.below(input.size() + 1);
    const auto place = input.begin() + static_cast<std::ptrdiff_t>(at);
    const bool inside = at < input.size();
    switch (choices.below(7)) {
        case 0:  // flip a bit
            if (inside) *place ^= static_cast<std::uint8_t>(1U << choices.below(8));
            break;
        case 1:  // any byte
            if (inside) *place = choices.byte();
            break;
        case 2:  // cut off the end
            input.resize(at);
            break;
        case 3:  // put bytes in
            input.insert(place, 1 + choices.below(8), choices.byte());
            break;
        case 4:  // take bytes out
            input.erase(place, place + static_cast<std::ptrdiff_t>(choices.below(
                                           std::min<std::size_t>(input.size() - at, 16) + 1)));
            break;
        case 5:  // a number at its edge, where a length may stand
            for (std::size_t i = at; i < std::min(at + 4, input.size()); ++i) {
                constexpr std::uint8_t kEdges[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
                input[i] = kEdges[choices.below(std::size(kEdges))];
            }
            break;
        case 6: {  // go on as another input
            const std::size_t from = choices.below(other.size() + 1);
            input.resize(at);
            input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(from),
                         other.end());
            break;
        }
    }
    if (input.size() > kMaxInputBytes) input.resize(kMaxInputBytes);
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<Input> inputs = argc == 2 ? read_inputs(argv[1]) : std::vector<Input>{};
    if (inputs.empty()) {
        std::fprintf(stderr, "usage: %s FOLDER, with at least one input in it\n", argv[0]);
        return 2;
    }
    LLVMFuzzerTestOneInput(nullptr, 0);
    for (const Input& input : inputs) LLVMFuzzerTestOneInput(input.data(), input.size());

    Choices choices;
    for (int i = 0; i < kMutations; ++i) {
        Input input = inputs[choices.below(inputs.size())];
        const Input& other = inputs[choices.below(inputs.size())];
        for (std::size_t n = 1 + choices.below(4); n > 0; --n) mutate(input, other, choices);
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    std::printf("%zu inputs and %d mutations\n", inputs.size(), kMutations);
    return 0;
}
