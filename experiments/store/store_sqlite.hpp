// An SQLite connection and its prepared statements, for the store's own files only.
//
// Every failing call throws StoreError with one line: the file, what was being done, what is wrong, what to do. A
// Statement refers to its Database, which must outlive it. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "experiments/store/store.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace ridgeline {

class Database;

class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Parameters are numbered from 1 in the order of the calls after a reset.
  Statement& add(std::int64_t value);
  Statement& add(int value) { return add(static_cast<std::int64_t>(value)); }
  Statement& add(bool value) { return add(static_cast<std::int64_t>(value)); }
  Statement& add(std::uint64_t bits);     // kept as the signed integer of the same bits
  Statement& add(double value);           // finite; throws StoreError
  Statement& add(std::string_view text);  // must stay alive until step()
  Statement& add(const std::string& text) { return add(std::string_view(text)); }
  Statement& add(const char* text) { return add(std::string_view(text)); }
  Statement& add(std::span<const double> numbers);  // a blob of little-endian doubles; copied
  Statement& add(std::nullopt_t);
  Statement& add(const std::optional<double>& value) { return value ? add(*value) : add(std::nullopt); }

  bool step();   // true: a row stands ready
  void run();    // to the end, then reset
  void reset();  // ready for new parameters

  std::int64_t integer(int column) const;
  std::uint64_t bits(int column) const;
  double number(int column) const;
  std::optional<double> maybe_number(int column) const;
  std::string_view view(int column) const;  // valid until the next step()
  std::string text(int column) const { return std::string(view(column)); }
  std::vector<double> numbers(int column) const;

 private:
  Database* database_;
  sqlite3_stmt* statement_ = nullptr;
  int next_ = 1;
};

class Database {
 public:
  Database(const std::string& path, Store::Mode mode);  // opens; changes nothing in the file
  Database(Database&& other) noexcept;
  Database& operator=(Database&&) = delete;
  ~Database();

  void execute(const char* sql);
  std::int64_t integer(const char* sql);  // the first column of the first row
  // A statement kept for the connection's life, reset and ready. `sql` must be a literal.
  Statement& prepared(const char* sql);
  void close_statements() { statements_.clear(); }
  std::int64_t changes() const;
  bool in_transaction() const;
  const std::string& path() const { return path_; }
  [[noreturn]] void fail(std::string_view doing) const;

 private:
  friend class Statement;
  void open(const std::string& name, int flags);

  std::string path_;
  sqlite3* connection_ = nullptr;
  std::unordered_map<const char*, Statement> statements_;
};

// BEGIN IMMEDIATE; rolled back unless committed. Within another one it is a part of that, which decides.
class Transaction {
 public:
  explicit Transaction(Database& database);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  Database& database_;
  bool open_;
};

}  // namespace ridgeline
