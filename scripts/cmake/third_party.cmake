# Debian's libraries, by their static archives: the programs that we hand out need nothing else on
# the machine that they run on. (The packages' CMake files export the shared ones only.)
# The thread sanitizer gets the shared ones: what was not built with it, it can only tell by module.

find_package(Threads REQUIRED)
set(LIBRARY_SUFFIX a)
if(BLOBVM_SANITIZE MATCHES thread)
  set(LIBRARY_SUFFIX so)
endif()

# third_party(NAME LIBRARIES...): an imported target third_party::NAME of these libraries.
function(third_party name)
  set(files)
  foreach(library IN LISTS ARGN)
    find_library(FILE_${library} NAMES lib${library}.${LIBRARY_SUFFIX} lib${library}.a REQUIRED)
    list(APPEND files ${FILE_${library}})
  endforeach()
  add_library(third_party_${name} INTERFACE)
  target_link_libraries(third_party_${name} INTERFACE -Wl,--start-group ${files} -Wl,--end-group
                        Threads::Threads ${CMAKE_DL_LIBS})
  add_library(third_party::${name} ALIAS third_party_${name})
endfunction()

find_library(FILE_absl_base NAMES libabsl_base.${LIBRARY_SUFFIX} REQUIRED)
get_filename_component(absl_folder ${FILE_absl_base} DIRECTORY)
file(GLOB absl_files ${absl_folder}/libabsl_*.${LIBRARY_SUFFIX})
list(FILTER absl_files EXCLUDE REGEX "absl_flags_parse")
add_library(third_party_absl INTERFACE)
target_link_libraries(third_party_absl INTERFACE -Wl,--start-group ${absl_files} -Wl,--end-group
                      Threads::Threads)
add_library(third_party::absl ALIAS third_party_absl)

third_party(protobuf protobuf z)
third_party(grpc grpc++_unsecure grpc_unsecure gpr upb address_sorting cares z)
target_link_libraries(third_party_grpc INTERFACE third_party::protobuf third_party::absl)
third_party(rocksdb rocksdb gflags snappy z bz2 lz4 zstd)
third_party(secp256k1 secp256k1)
third_party(crypto crypto)
third_party(zlib z)

add_library(third_party_fmt INTERFACE)
target_compile_definitions(third_party_fmt INTERFACE FMT_HEADER_ONLY=1)
add_library(third_party::fmt ALIAS third_party_fmt)

add_library(third_party_spdlog INTERFACE)
target_compile_definitions(third_party_spdlog INTERFACE SPDLOG_FMT_EXTERNAL)
target_link_libraries(third_party_spdlog INTERFACE third_party::fmt)
add_library(third_party::spdlog ALIAS third_party_spdlog)

find_program(PROTOC protoc REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
