// The database's schema, by numbered migrations. For the store's own files.
#pragma once

#include "experiments/store/store_sqlite.hpp"

namespace ridgeline {

inline constexpr int application_id = 0x52444731;  // "RDG1": tells our files from other programs' databases

// Throws StoreError for another program's database and for a schema newer than this program. Returns the file's
// version; 0 is an empty file.
int check_schema(Database& database);
// Brings the file to the newest version, each step in a transaction of its own, and sets the connection up for writing.
void migrate(Database& database);

}  // namespace ridgeline
