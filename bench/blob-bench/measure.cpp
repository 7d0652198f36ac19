#include "bench/blob-bench/measure.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <numeric>
#include <thread>

namespace blobvm::bench {
namespace {

namespace fs = std::filesystem;

double cpu_clock_s(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::string proc_file(int pid, const char* name) {
    return "/proc/" + (pid == 0 ? std::string{"self"} : std::to_string(pid)) + "/" + name;
}

/// The number behind `name` in a file of lines "name number ..."; 0 if there is none.
std::uint64_t number_in(const std::string& path, const std::string& name) {
    std::ifstream file{path};
    for (std::string word; file >> word;) {
        std::uint64_t number = 0;
        if (word == name && file >> number) return number;
    }
    return 0;
}

double ticks_to_s(double ticks) { return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)); }

/// Of the whole machine since its start: all but idle, waiting and guests (which user holds).
double machine_busy_s() {
    std::ifstream file{"/proc/stat"};
    std::string name;
    double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, soft = 0, stolen = 0;
    file >> name >> user >> nice >> system >> idle >> waiting >> irq >> soft >> stolen;
    return ticks_to_s(user + nice + system + irq + soft + stolen);
}

/// Of those that were waited for.
double ended_children_cpu_s() {
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

double seconds_since(SteadyClock::time_point start) {
    return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

double thread_cpu_s() { return cpu_clock_s(CLOCK_THREAD_CPUTIME_ID); }
double process_cpu_s() { return cpu_clock_s(CLOCK_PROCESS_CPUTIME_ID); }

std::uint64_t written_bytes(int pid) { return number_in(proc_file(pid, "io"), "write_bytes:"); }
std::uint64_t resident_bytes(int pid) {
    return number_in(proc_file(pid, "status"), "VmRSS:") * 1024;
}

double cpu_seconds_of(int pid) {
    std::ifstream file{proc_file(pid, "stat")};
    std::string line;
    std::getline(file, line);
    const std::size_t name_end = line.rfind(')');
    if (name_end == std::string::npos) return 0;
    // Behind the name: state is field 3, user and system time are fields 14 and 15, in ticks.
    std::vector<std::string> fields;
    std::size_t at = name_end + 2;
    while (at < line.size()) {
        const std::size_t end = std::min(line.find(' ', at), line.size());
        fields.push_back(line.substr(at, end - at));
        at = end + 1;
    }
    if (fields.size() < 13) return 0;
    return ticks_to_s(std::stod(fields[11]) + std::stod(fields[12]));
}

ForeignLoad::ForeignLoad(std::vector<int> children)
    : children_{std::move(children)}, all_start_s_{machine_busy_s()}, ours_start_s_{ours_s()} {}

double ForeignLoad::ours_s() const {
    double sum_s = process_cpu_s() + ended_children_cpu_s();
    for (const int child : children_) sum_s += cpu_seconds_of(child);
    return sum_s;
}

double ForeignLoad::cpu_s() const {
    return std::max(machine_busy_s() - all_start_s_ - (ours_s() - ours_start_s_), 0.0);
}

void give_up(const std::string& why) {
    std::fprintf(stderr, "blob-bench: %s\n", why.c_str());
    std::fflush(stderr);
    std::_Exit(1);  // other threads may be at work: nothing is torn down under them
}

void Samples::add_all(const Samples& other) {
    values_.insert(values_.end(), other.values_.begin(), other.values_.end());
}

double Samples::sum() const { return std::accumulate(values_.begin(), values_.end(), 0.0); }

double Samples::mean() const {
    return values_.empty() ? 0 : sum() / static_cast<double>(values_.size());
}

double Samples::quantile(double q) const {
    if (values_.empty()) return 0;
    std::vector<double> sorted = values_;
    std::sort(sorted.begin(), sorted.end());
    const double place = q * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    const double share = place - static_cast<double>(below);
    return sorted[below] + share * (sorted[above] - sorted[below]);
}

Json Samples::json() const {
    return {{"p50", median()}, {"p99", quantile(0.99)}, {"max", max()}, {"samples", values_}};
}

Folder::Folder(const fs::path& under) {
    std::string pattern =
        ((under.empty() ? fs::temp_directory_path() : under) / "blob-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) give_up("cannot make the folder " + pattern);
    path_ = pattern;
}

Folder::~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

std::size_t cores() { return std::max(std::thread::hardware_concurrency(), 1U); }

double rate_per_thread(std::size_t threads, double seconds,
                       const std::function<double(std::size_t)>& work) {
    std::vector<double> rates(threads);
    {
        std::barrier together{static_cast<std::ptrdiff_t>(threads)};
        std::vector<std::jthread> running;
        for (std::size_t thread = 0; thread < threads; ++thread) {
            running.emplace_back([&, thread] {
                work(thread);  // what is slow the first time only
                together.arrive_and_wait();
                const auto start = SteadyClock::now();
                const double start_s = thread_cpu_s();
                double done = 0;
                do {
                    done += work(thread);
                } while (seconds_since(start) < seconds);
                rates[thread] = done / (thread_cpu_s() - start_s);
            });
        }
    }
    return std::accumulate(rates.begin(), rates.end(), 0.0) / static_cast<double>(threads);
}

double calls_per_second(std::size_t threads, double seconds, const std::vector<int>& children,
                        const std::function<double(std::size_t)>& work) {
    std::vector<double> done(threads, 0);
    for (std::size_t thread = 0; thread < threads; ++thread) work(thread);
    const ForeignLoad others{children};
    const auto start = SteadyClock::now();
    {
        std::vector<std::jthread> running;
        for (std::size_t thread = 0; thread < threads; ++thread) {
            running.emplace_back([&, thread] {
                while (seconds_since(start) < seconds) done[thread] += work(thread);
            });
        }
    }
    const double wall_s = seconds_since(start);
    const double left_s =
        std::max(wall_s - others.cpu_s() / static_cast<double>(cores()), wall_s / 100);
    return std::accumulate(done.begin(), done.end(), 0.0) / left_s;
}

Samples time_each(double seconds, std::size_t least, const std::function<void()>& work) {
    work();
    Samples samples;
    const auto begin = SteadyClock::now();
    while (samples.size() < least || seconds_since(begin) < seconds) {
        const auto start = SteadyClock::now();
        work();
        samples.add(seconds_since(start));
    }
    return samples;
}

}  // namespace blobvm::bench
