// The interface of SQLite. In a loadable extension, the functions of the host program are used.
#pragma once

#ifdef YETT_SQLITE_EXTENSION
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#else
#include <sqlite3.h>
#endif
