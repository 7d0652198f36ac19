# What cpack makes of the tree that scripts/package.sh has laid out, which gives STAGE, VERSION and so
# on by the environment: a package that depends on nothing, since the programs are static.

set(CPACK_GENERATOR DEB)
set(CPACK_INSTALLED_DIRECTORIES "$ENV{STAGE};/")
set(CPACK_PACKAGING_INSTALL_PREFIX "/")
set(CPACK_PACKAGE_NAME blobvm)
set(CPACK_PACKAGE_VENDOR "The BlobVM authors")
set(CPACK_PACKAGE_CONTACT "The BlobVM authors <maintainers@blobvm.invalid>")
set(CPACK_PACKAGE_VERSION $ENV{VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "virtual machine for Avalanche nodes that stores files")
set(CPACK_PACKAGE_DESCRIPTION
    "The plugin that an Avalanche node starts, where the node's packages keep plugins (the node needs
--plugin-dir=$ENV{PLUGIN_FOLDER}); its command line client,
and a local chain for development.")
set(CPACK_PACKAGE_FILE_NAME blobvm_$ENV{VERSION}_$ENV{ARCHITECTURE})
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE $ENV{ARCHITECTURE})
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS avalanchego)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE gzip)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_STRIP_FILES OFF)
