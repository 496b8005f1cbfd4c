#include "experiments/store/store_sqlite.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr int busy_timeout_ms = 10'000;
static_assert(std::endian::native == std::endian::little, "samples are stored as little-endian doubles");

bool in_memory(const std::string& path) { return path == ":memory:"; }

// A file that cannot be a whole SQLite database is refused before SQLite sees it, because SQLite notices a missing
// tail only when it happens to read there.
void check_file(const std::string& path, Store::Mode mode) {
  std::error_code error;
  if (in_memory(path)) return;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    if (mode == Store::Mode::write) return;
    throw StoreError(path + ": there is no such database; check the path, or make one with 'ridgeline search'");
  }
  if (status.type() == fs::file_type::directory) throw StoreError(path + ": is a folder, not a database file");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw StoreError(path + ": cannot be read: " + std::strerror(errno) + "; check its rights");
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) throw StoreError(path + ": cannot be read: " + error.message() + "; check its rights");
  const std::uintmax_t wal = fs::file_size(path + "-wal", error);  // recovers what the main file still lacks
  const bool has_wal = !error && wal > 0;
  if (size == 0) {
    if (mode == Store::Mode::write || has_wal) return;
    throw StoreError(path + ": is an empty file, not a database; check the path");
  }
  constexpr std::string_view magic("SQLite format 3\0", 16);
  std::array<char, 100> header{};
  file.read(header.data(), header.size());
  const auto got = static_cast<std::size_t>(file.gcount());
  if (std::string_view(header.data(), std::min(got, magic.size())) != magic.substr(0, got)) {
    throw StoreError(path + ": is not an SQLite database; check the path, it was left as it is");
  }
  const auto byte = [&](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(header[i])); };
  const std::uint64_t stored_page = byte(16) << 8 | byte(17);
  const std::uint64_t page = stored_page == 1 ? 65536 : stored_page;
  const std::uint64_t pages = byte(28) << 24 | byte(29) << 16 | byte(30) << 8 | byte(31);
  if (got < header.size() || (!has_wal && size < page * pages)) {
    throw StoreError(fmt::format("{}: is a truncated database ({} of {} bytes); restore it from a copy", path, size,
                                 std::max<std::uint64_t>(page * pages, header.size())));
  }
}

std::string free_space(const std::string& path) {
  std::error_code error;
  const fs::space_info info = fs::space(fs::absolute(path).parent_path(), error);
  return error ? std::string() : fmt::format(" ({} MiB free)", info.available >> 20);
}

// What is wrong and what to do, for SQLite's extended result code and the system's error behind it.
std::string explain(const std::string& path, int code, int system_error, const char* message) {
  const std::string system = system_error != 0 ? fmt::format(": {}", std::strerror(system_error)) : std::string();
  if ((code & 0xff) == SQLITE_FULL || system_error == ENOSPC || system_error == EFBIG || system_error == EDQUOT) {
    return fmt::format("the disk is full{}{}; free some space, everything committed before is safe", free_space(path),
                       system_error == EFBIG || system_error == EDQUOT ? system : std::string());
  }
  switch (code & 0xff) {
    case SQLITE_NOTADB:
      return "is not an SQLite database; check the path, it was left as it is";
    case SQLITE_CORRUPT:
      return fmt::format("the database is damaged or truncated ({}); restore it from a copy", message);
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return "the file or its folder cannot be written; change its rights or name a database elsewhere";
    case SQLITE_CANTOPEN:
      return fmt::format("the file cannot be opened or made{}; check that its folder exists and can be written",
                         system);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fmt::format("another process kept the database locked for {} s; try again when it is done",
                         busy_timeout_ms / 1000);
    case SQLITE_IOERR:
      return fmt::format("reading or writing failed{} ({}, SQLite code {}); check the disk and the file's rights",
                         system, message, code);
    default:
      return fmt::format("{} (SQLite code {})", message, code);
  }
}

}  // namespace

Statement::Statement(Database& database, std::string_view sql) : database_(&database) {
  if (sqlite3_prepare_v3(database.connection_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                         &statement_, nullptr) != SQLITE_OK) {
    database.fail("preparing a statement");
  }
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)), next_(other.next_) {}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::add(std::int64_t value) {
  if (sqlite3_bind_int64(statement_, next_++, value) != SQLITE_OK) database_->fail("binding");
  return *this;
}

Statement& Statement::add(std::uint64_t bits) { return add(std::bit_cast<std::int64_t>(bits)); }

Statement& Statement::add(double value) {
  // SQLite would store NaN as NULL without a word.
  if (!std::isfinite(value)) {
    throw StoreError(fmt::format("{}: {} is not a finite number and is not stored", database_->path(), value));
  }
  if (sqlite3_bind_double(statement_, next_++, value) != SQLITE_OK) database_->fail("binding");
  return *this;
}

Statement& Statement::add(std::string_view text) {
  const char* data = text.data() != nullptr ? text.data() : "";
  if (sqlite3_bind_text64(statement_, next_++, data, text.size(), SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK) {
    database_->fail("binding");
  }
  return *this;
}

Statement& Statement::add(std::span<const double> numbers) {
  for (const double number : numbers) {
    if (!std::isfinite(number)) {
      throw StoreError(fmt::format("{}: a sample of {} is not stored", database_->path(), number));
    }
  }
  const int result = numbers.empty() ? sqlite3_bind_zeroblob(statement_, next_++, 0)
                                     : sqlite3_bind_blob64(statement_, next_++, numbers.data(), numbers.size_bytes(),
                                                           SQLITE_TRANSIENT);
  if (result != SQLITE_OK) database_->fail("binding");
  return *this;
}

Statement& Statement::add(std::nullopt_t) {
  if (sqlite3_bind_null(statement_, next_++) != SQLITE_OK) database_->fail("binding");
  return *this;
}

bool Statement::step() {
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  database_->fail("");
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() {
  sqlite3_reset(statement_);
  next_ = 1;
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }
std::uint64_t Statement::bits(int column) const { return std::bit_cast<std::uint64_t>(integer(column)); }
double Statement::number(int column) const { return sqlite3_column_double(statement_, column); }

std::optional<double> Statement::maybe_number(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
  return number(column);
}

std::string_view Statement::view(int column) const {
  const void* text = sqlite3_column_text(statement_, column);
  if (text == nullptr) return {};
  return {static_cast<const char*>(text), static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::vector<double> Statement::numbers(int column) const {
  const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  std::vector<double> numbers(bytes / sizeof(double));
  if (!numbers.empty()) {
    std::memcpy(numbers.data(), sqlite3_column_blob(statement_, column), numbers.size() * sizeof(double));
  }
  return numbers;
}

Database::Database(const std::string& path, Store::Mode mode) : path_(path) {
  check_file(path, mode);
  if (mode == Store::Mode::write) {
    open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    return;
  }
  open(path, SQLITE_OPEN_READONLY);
  // A WAL database in a folder that cannot be written has no shared memory to coordinate readers through. Without a WAL
  // file nobody is writing, and the file can be read as it stands.
  const int probe = sqlite3_exec(connection_, "PRAGMA schema_version", nullptr, nullptr, nullptr);
  std::error_code error;
  const bool sealed = (probe & 0xff) == SQLITE_CANTOPEN || (probe & 0xff) == SQLITE_READONLY;
  if (sealed && !fs::exists(path + "-wal", error)) {
    sqlite3_close(std::exchange(connection_, nullptr));
    std::string uri = "file:";
    for (const char c : path) {
      uri +=
          c == '?' || c == '#' || c == '%' ? fmt::format("%{:02x}", static_cast<unsigned char>(c)) : std::string(1, c);
    }
    open(uri + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
  }
}

void Database::open(const std::string& name, int flags) {
  if (sqlite3_open_v2(name.c_str(), &connection_, flags | SQLITE_OPEN_NOMUTEX, nullptr) != SQLITE_OK) {
    const std::string why = connection_ == nullptr
                                ? std::string("out of memory")
                                : explain(path_, sqlite3_extended_errcode(connection_),
                                          sqlite3_system_errno(connection_), sqlite3_errmsg(connection_));
    sqlite3_close(std::exchange(connection_, nullptr));
    throw StoreError(path_ + ": " + why);
  }
  sqlite3_extended_result_codes(connection_, 1);
  sqlite3_busy_timeout(connection_, busy_timeout_ms);
}

Database::Database(Database&& other) noexcept
    : path_(std::move(other.path_)), connection_(std::exchange(other.connection_, nullptr)) {
  other.statements_.clear();  // they name the old object; prepared again when asked for
}

Database::~Database() {
  statements_.clear();
  sqlite3_close(connection_);
}

void Database::fail(std::string_view doing) const {
  const int last = errno;  // SQLite forgets the system's error where it rolls back at once
  const int code = sqlite3_extended_errcode(connection_);
  const bool system = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_FULL;
  const int kept = sqlite3_system_errno(connection_);
  const std::string why = explain(path_, code, !system ? 0 : kept != 0 ? kept : last, sqlite3_errmsg(connection_));
  throw StoreError(doing.empty() ? path_ + ": " + why : fmt::format("{}: {}: {}", path_, doing, why));
}

void Database::execute(const char* sql) {
  if (sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail("");
}

std::int64_t Database::integer(const char* sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.integer(0) : 0;
}

Statement& Database::prepared(const char* sql) {
  auto it = statements_.find(sql);
  if (it == statements_.end()) it = statements_.emplace(sql, Statement(*this, sql)).first;
  it->second.reset();
  return it->second;
}

std::int64_t Database::changes() const { return sqlite3_changes64(connection_); }

bool Database::in_transaction() const { return sqlite3_get_autocommit(connection_) == 0; }

Transaction::Transaction(Database& database) : database_(database), open_(!database.in_transaction()) {
  if (open_) database_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const StoreError&) {  // SQLite has rolled back by itself (full disk, I/O error)
  }
}

void Transaction::commit() {
  if (open_) database_.execute("COMMIT");
  open_ = false;
}

}  // namespace ridgeline
