// libpqxx 6: reads and writes the tables of tables.sql under both schemas, and compares.
//
// It connects by libpq's variables (PGHOST, PGPORT, ...). Lines "ok - ..." and "not ok - ..."; ends with 1 if one is not ok.

#include <chrono>
#include <functional>
#include <iostream>
#include <pqxx/pqxx>
#include <string>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;

int failed = 0;

void check(bool condition, const std::string& text, const std::string& shown = {}) {
  std::cout << (condition ? "ok - " : "not ok - ") << text << std::endl;
  if (condition) return;
  failed++;
  std::cout << "#     " << shown << std::endl;
}

// What a run under one schema has seen, as text.
void same(const std::string& learned, const std::string& btree, const std::string& text) {
  check(!learned.empty() && learned == btree, text,
        "learned: " + learned.substr(0, 500) + "\n#     btree:   " + btree.substr(0, 500));
}

std::string rows(const pqxx::result& result) {
  std::string text;
  for (const auto& row : result) {
    for (const auto& field : row) text += field.is_null() ? "NULL " : field.c_str() + std::string(" ");
    text += "/ ";
  }
  return text;
}

std::string lines(const pqxx::result& result) {
  std::string text;
  for (const auto& row : result) text += row[0].c_str() + std::string("\n#     ");
  return text;
}

std::string options(const std::string& schema) { return "options='-c search_path=" + schema + ",public'"; }

// ---- what is done under either schema; each gives what it has seen ------------------------------

const std::string kLong =
    "SELECT sum(n) FROM readings a, readings b, "
    "LATERAL (SELECT count(*) AS n FROM readings WHERE id BETWEEN a.id AND b.id) c";

struct Prepared {
  std::string seen, plan;
  int generic = 0;
};

// exec_prepared() sends parameters as text of no type: the server gives them those of the columns.
Prepared prepared_counts(pqxx::connection& connection) {
  connection.prepare("counts", "SELECT count(*), max(id) FROM readings WHERE id BETWEEN $1 AND $2");
  pqxx::nontransaction work(connection);
  Prepared result;
  for (int i = 0; i < 12; i++) result.seen += rows(work.exec_prepared("counts", 100000 + i, 200000 + 7 * i));
  result.generic =
      work.exec1("SELECT generic_plans FROM pg_prepared_statements WHERE name = 'counts'")[0].as<int>();
  result.plan = lines(work.exec("EXPLAIN (COSTS OFF) EXECUTE counts(100000, 200000)"));
  return result;
}

Prepared prepared_rows(pqxx::connection& connection) {
  connection.prepare("by_key", "SELECT id, device, at, level FROM readings WHERE id = $1");
  pqxx::nontransaction work(connection);
  Prepared result;
  for (int i = 0; i < 12; i++) result.seen += rows(work.exec_prepared("by_key", 90000 + 3 * i));
  result.generic =
      work.exec1("SELECT generic_plans FROM pg_prepared_statements WHERE name = 'by_key'")[0].as<int>();
  result.plan = lines(work.exec("EXPLAIN (COSTS OFF) EXECUTE by_key(90000)"));
  return result;
}

// libpqxx has COPY as text only: out by stream_from, in by stream_to. (All columns are read: in 6.4.5 a stream_from of some columns
// has a member that nobody has set, and most often gives up at the first row.)
std::string copied(pqxx::connection& connection, const std::string& schema) {
  pqxx::connection source(options(schema));
  pqxx::work reading(source), writing(connection);
  writing.exec("CREATE TABLE copied_libpqxx (LIKE readings INCLUDING INDEXES)");
  pqxx::stream_from out(reading, "readings");
  pqxx::stream_to in(writing, "copied_libpqxx");
  std::tuple<long long, int, std::string, std::unique_ptr<int>> row;
  while (out >> row) in << row;
  out.complete();
  in.complete();
  auto seen =
      rows(writing.exec("SELECT count(*), min(id), max(id), sum(device) FROM copied_libpqxx WHERE id > 0"));
  seen += rows(writing.exec(
      "SELECT device, count(*), count(level), max(at) FROM copied_libpqxx GROUP BY device ORDER BY device"));
  writing.commit();
  return seen;
}

std::string cursors(pqxx::connection& connection) {
  std::string seen;
  {
    pqxx::work work(connection);
    pqxx::icursorstream stream(work, "SELECT id, level FROM readings WHERE id > 150000 ORDER BY id", "stream",
                               64);
    pqxx::result some;
    for (int i = 0; i < 20 && stream >> some; i++) seen += rows(some);
    // It scrolls: to its end for its size, back, and backward.
    pqxx::stateless_cursor<pqxx::cursor_base::read_only, pqxx::cursor_base::owned> cursor(
        work, "SELECT id, level FROM readings WHERE device = 7 ORDER BY at DESC", "scrolled", false);
    seen += std::to_string(cursor.size()) + " " + rows(cursor.retrieve(500, 520)) +
            rows(cursor.retrieve(300, 280)) + rows(cursor.retrieve(0, 2));
  }
  pqxx::work first(connection);
  first.exec(
      "DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT id, level FROM readings WHERE device < 5 ORDER BY "
      "device, at");
  seen += rows(first.exec("FETCH 50 FROM held"));
  first.commit();
  pqxx::nontransaction second(connection);
  seen += rows(second.exec("FETCH 50 FROM held")) + rows(second.exec("FETCH BACKWARD 70 FROM held"));
  second.exec("CLOSE held");
  return seen;
}

std::string pipelined(pqxx::connection& connection) {
  std::string seen;
  pqxx::nontransaction work(connection);
  {
    pqxx::pipeline pipeline(work);
    pipeline.retain(20);
    std::vector<pqxx::pipeline::query_id> asked;
    for (int low = 0; low < 300000; low += 3000)
      asked.push_back(pipeline.insert("SELECT count(*), max(id) FROM readings WHERE id BETWEEN " +
                                      std::to_string(low) + " AND " + std::to_string(low + 3000)));
    for (auto id : asked) seen += rows(pipeline.retrieve(id));
  }
  pqxx::pipeline pipeline(work);
  pipeline.retain(3);
  auto good = pipeline.insert("SELECT count(*) FROM readings WHERE id <= 300");
  auto bad = pipeline.insert("SELECT count(*) / (count(*) - count(*)) FROM readings WHERE id <= 300");
  auto behind = pipeline.insert("SELECT count(*) FROM readings WHERE id <= 600");
  seen += rows(pipeline.retrieve(good));
  for (auto id : {bad, behind}) {
    try {
      seen += rows(pipeline.retrieve(id));
    } catch (const pqxx::sql_error& error) {
      seen += error.sqlstate() + " ";
    } catch (const std::exception&) {
      seen += "not run ";
    }
  }
  pipeline.flush();
  return seen;
}

// Cancels when the query has run for half a second; the milliseconds from then to the error, or -1.
long cancelled(pqxx::connection& connection, std::string& state) {
  Clock::time_point asked;
  std::thread canceller([&] {
    pqxx::connection monitor(options("public"));
    pqxx::nontransaction work(monitor);
    const auto runs =
        "SELECT coalesce(bool_or(state = 'active' AND clock_timestamp() - query_start > interval '0.5 s'), "
        "false) "
        "FROM pg_stat_activity WHERE pid = " +
        std::to_string(connection.backendpid());
    while (!work.exec1(runs)[0].as<bool>()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    asked = Clock::now();
    connection.cancel_query();
  });
  long milliseconds = -1;
  pqxx::nontransaction work(connection);
  try {
    work.exec("SET statement_timeout = '20 s'");
    work.exec(kLong);
  } catch (const pqxx::sql_error& error) {
    state = error.sqlstate();
    milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - asked).count();
  }
  canceller.join();
  work.exec("SET statement_timeout = 0");
  return milliseconds;
}

// The SQLSTATE, and whether the error is of the class of violated constraints.
std::string refused(pqxx::nontransaction& work, const std::string& query) {
  try {
    work.exec(query);
  } catch (const pqxx::integrity_constraint_violation& error) {
    return error.sqlstate() + " constraint ";
  } catch (const pqxx::sql_error& error) {
    return error.sqlstate() + " ";
  }
  return "accepted ";
}

std::string error_states(pqxx::connection& connection) {
  pqxx::nontransaction work(connection);
  work.exec("SET statement_timeout = 200");
  auto seen = refused(work, kLong);
  work.exec("SET statement_timeout = 0");
  work.exec("INSERT INTO seats VALUES (101), (102)");
  seen += refused(work, "INSERT INTO seats VALUES (102)");
  work.exec("INSERT INTO seats VALUES (102), (103) ON CONFLICT DO NOTHING");
  return seen + rows(work.exec("SELECT id FROM seats WHERE id BETWEEN 100 AND 199 ORDER BY id"));
}

// ---- both, side by side -------------------------------------------------------------------------

void by_learned(const Prepared& learned, const Prepared& btree, const std::string& text,
                const std::string& node, const std::string& condition) {
  same(learned.seen, btree.seen, "prepared statement, " + text + ": as with btree");
  check(learned.generic > 0 && learned.plan.find(node) != std::string::npos &&
            learned.plan.find(condition) != std::string::npos,
        "prepared statement, " + text + ": a generic plan by the learned index",
        std::to_string(learned.generic) + " generic plans\n#     " + learned.plan);
}

void run() {
  pqxx::connection learned(options("learned")), btree(options("btree"));
  by_learned(prepared_counts(learned), prepared_counts(btree), "counts", "Custom Scan (LearnedAggregate)",
             "id >= $1");
  by_learned(prepared_rows(learned), prepared_rows(btree), "rows by key", "Index Scan using readings_id_idx",
             "id = $1");
  same(copied(learned, "learned"), copied(btree, "btree"),
       "COPY by stream_from and stream_to: as with btree");
  same(cursors(learned), cursors(btree), "cursors, streamed, scrolled and held over a commit: as with btree");
  same(pipelined(learned), pipelined(btree), "pipeline, an error within it: as with btree");
  std::string state;
  const auto milliseconds = cancelled(learned, state);
  check(state == "57014" && milliseconds >= 0 && milliseconds < 1000,
        "cancel_query() ends a count within a second (" + std::to_string(milliseconds) + " ms)", state);
  check(pqxx::nontransaction(learned).exec1("SELECT count(*) FROM readings WHERE id > 0")[0].as<int>() ==
            100000,
        "and the connection goes on");
  const auto states = error_states(learned);
  same(states, error_states(btree), "errors: as with btree");
  check(states == "57014 23P01 constraint 101 / 102 / 103 / ",
        "errors: 57014 of a timeout, 23P01 of an exclusion constraint, and no row is left of it", states);
}

}  // namespace

int main() {
  try {
    run();
  } catch (const std::exception& error) {
    check(false, "it runs to its end", error.what());
  }
  return failed ? 1 : 0;
}
