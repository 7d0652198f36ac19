// What the sanitizers are told in every program of ours, whatever its environment: a node gives a
// plugin nearly none. (A variable such as TSAN_OPTIONS still overrides it.)

extern "C" {

// Debian's libraries are not built with the thread sanitizer; it sees their memory only where they
// call what it intercepts, and none of what orders those calls.
const char* __tsan_default_options() {
    return "ignore_noninstrumented_modules=1:halt_on_error=1:second_deadlock_stack=1";
}
const char* __asan_default_options() {
    return "detect_stack_use_after_return=1:strict_init_order=1";
}
const char* __ubsan_default_options() { return "print_stacktrace=1:halt_on_error=1"; }

}  // extern "C"
