# Turns the SQL migrations in schemas/ into a header, so that the binary needs no file beside it.
file(READ ${CMAKE_SOURCE_DIR}/schemas/audit/001_initial.sql YETT_AUDIT_SCHEMA_1)
configure_file(${CMAKE_SOURCE_DIR}/cmake/audit_schema.h.in ${CMAKE_BINARY_DIR}/generated/audit/audit_schema.h @ONLY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/schemas/audit/001_initial.sql)
