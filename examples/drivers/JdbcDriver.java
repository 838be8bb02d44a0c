// PostgreSQL's JDBC driver: reads and writes the tables of tables.sql under both schemas, and compares.
//
//   java -cp /usr/share/java/postgresql.jar JdbcDriver.java
//
// It connects over TCP, to 127.0.0.1 at PGPORT as PGUSER with PGPASSWORD: Java's own sockets know no others here.
// Lines "ok - ..." and "not ok - ..."; ends with 1 if one is not ok.

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PSQLException;

public class JdbcDriver {
    static int failed = 0;

    static void check(boolean condition, String text, Object shown) {
        System.out.println((condition ? "ok - " : "not ok - ") + text);
        if (condition) return;
        failed++;
        System.out.println("#     " + String.valueOf(shown).replace("\n", "\n#     "));
    }

    static void same(String learned, String btree, String text) {
        check(!learned.isEmpty() && learned.equals(btree), text, "learned: " + learned + "\nbtree:   " + btree);
    }

    static Connection connect(String schema) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        properties.setProperty("options", "-c search_path=" + schema + ",public");
        return DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE"), properties);
    }

    static String rows(ResultSet rows) throws SQLException {
        StringBuilder text = new StringBuilder();
        int columns = rows.getMetaData().getColumnCount();
        while (rows.next()) {
            for (int column = 1; column <= columns; column++) text.append(rows.getString(column)).append(' ');
            text.append("/ ");
        }
        return text.toString();
    }

    static String query(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
            return rows(rows);
        }
    }

    static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    // ---- what is done under either schema; each gives what it has seen ------------------------------

    static final String COUNT = "SELECT count(*), max(id) FROM readings WHERE id BETWEEN ? AND ?";
    static final String ROW = "SELECT id, device, at, level FROM readings WHERE id = ?";
    static final String LONG = "SELECT sum(n) FROM readings a, readings b, "
        + "LATERAL (SELECT count(*) AS n FROM readings WHERE id BETWEEN a.id AND b.id) c";

    // The driver prepares at the fifth execution, the server looks at a generic plan at its own sixth: hence sixteen.
    static String[] prepared(Connection connection, String sql, long base, int parameters) throws SQLException {
        StringBuilder seen = new StringBuilder();
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < 16; i++) {
                for (int parameter = 1; parameter <= parameters; parameter++) statement.setLong(parameter, base * parameter + 3 * i);
                try (ResultSet rows = statement.executeQuery()) {
                    seen.append(rows(rows));
                }
            }
            String like = sql.replaceFirst("[?]", "\\$1").replaceFirst("[?]", "\\$2").replace("'", "''");
            String name, generic;
            try (Statement asked = connection.createStatement();
                 ResultSet row = asked.executeQuery("SELECT name, generic_plans FROM pg_prepared_statements WHERE statement = '" + like + "'")) {
                if (!row.next()) return new String[] {seen.toString(), "0", "no such statement"};
                name = row.getString(1);
                generic = row.getString(2);
            }
            String values = parameters == 1 ? "" + base : base + ", " + 2 * base;
            return new String[] {seen.toString(), generic, query(connection, "EXPLAIN (COSTS OFF) EXECUTE \"" + name + "\"(" + values + ")")};
        }
    }

    static byte[] copyOut(Connection connection, String sql) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        new CopyManager(connection.unwrap(org.postgresql.core.BaseConnection.class)).copyOut("COPY (" + sql + ") TO STDOUT (FORMAT binary)", out);
        return out.toByteArray();
    }

    static String copyIn(Connection connection, byte[] data) throws Exception {
        execute(connection, "CREATE TABLE copied_jdbc (LIKE readings INCLUDING INDEXES)");
        long copied = connection.unwrap(PGConnection.class).getCopyAPI().copyIn("COPY copied_jdbc FROM STDIN (FORMAT binary)", new ByteArrayInputStream(data));
        return copied + " " + query(connection, "SELECT count(*), count(level), min(id), max(id), sum(device) FROM copied_jdbc WHERE id >= 0");
    }

    static String cursors(Connection connection) throws SQLException {
        StringBuilder seen = new StringBuilder();
        connection.setAutoCommit(false);
        // With a fetch size, without autocommit: a portal, from which 50 rows come at a time.
        try (PreparedStatement statement = connection.prepareStatement("SELECT id, level FROM readings WHERE id > ? ORDER BY id")) {
            statement.setFetchSize(50);
            statement.setLong(1, 150000);
            try (ResultSet rows = statement.executeQuery()) {
                for (int i = 0; i < 1234 && rows.next(); i++) seen.append(rows.getString(1)).append(' ').append(rows.getString(2)).append(' ');
            }
        }
        // (The driver's own scrolling results hold all rows on this side.)
        execute(connection, "DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT id, level FROM readings WHERE device = 7 ORDER BY at DESC");
        seen.append(query(connection, "FETCH 100 FROM held"));
        connection.commit();
        connection.setAutoCommit(true);
        seen.append(query(connection, "FETCH BACKWARD 30 FROM held")).append(query(connection, "FETCH ABSOLUTE 500 FROM held"));
        seen.append(query(connection, "FETCH ALL FROM held"));
        execute(connection, "CLOSE held");
        return seen.toString();
    }

    // A batch is sent as a whole; an error ends it.
    static String batches(Connection connection) throws SQLException {
        StringBuilder seen = new StringBuilder();
        execute(connection, "CREATE TEMP TABLE few (LIKE readings INCLUDING INDEXES)");
        connection.setAutoCommit(false);
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO few SELECT * FROM readings WHERE id = ?")) {
            for (int i = 1; i <= 300; i++) {
                statement.setLong(1, 3 * i);
                statement.addBatch();
            }
            seen.append(Arrays.stream(statement.executeBatch()).sum());
        }
        connection.commit();
        try (PreparedStatement statement = connection.prepareStatement("DELETE FROM few WHERE id = ? AND 1 / (id - 30) < 2")) {
            for (int i = 1; i <= 20; i++) {
                statement.setLong(1, 3 * i);
                statement.addBatch();
            }
            statement.executeBatch();
        } catch (BatchUpdateException error) {
            seen.append(' ').append(error.getSQLState());
        }
        connection.rollback();
        connection.setAutoCommit(true);
        return seen.append(query(connection, "SELECT count(*), sum(id) FROM few WHERE id <= 600")).toString();
    }

    // Cancels when the query has run for half a second; gives SQLSTATE and the milliseconds from then to the error.
    static String[] cancelled(Connection connection) throws Exception {
        execute(connection, "SET statement_timeout = '20 s'");
        int pid = connection.unwrap(PGConnection.class).getBackendPID();
        long[] asked = {0};
        try (Statement statement = connection.createStatement()) {
            Thread canceller = new Thread(() -> {
                try (Connection monitor = connect("public")) {
                    while (!query(monitor, "SELECT bool_or(state = 'active' AND clock_timestamp() - query_start > interval '0.5 s') "
                        + "FROM pg_stat_activity WHERE pid = " + pid).startsWith("t")) {
                        Thread.sleep(50);
                    }
                    asked[0] = System.nanoTime();
                    statement.cancel();
                } catch (Exception error) {
                    System.out.println("#     " + error);
                }
            });
            canceller.start();
            try {
                statement.executeQuery(LONG);
                return new String[] {"it ended by itself", "0"};
            } catch (PSQLException error) {
                return new String[] {error.getSQLState(), String.valueOf((System.nanoTime() - asked[0]) / 1000000)};
            } finally {
                canceller.join();
                execute(connection, "SET statement_timeout = 0");
            }
        }
    }

    static String refused(Connection connection, String sql) {
        try {
            execute(connection, sql);
        } catch (PSQLException error) {
            String constraint = error.getServerErrorMessage() == null ? null : error.getServerErrorMessage().getConstraint();
            return error.getSQLState() + " " + constraint + " ";
        } catch (SQLException error) {
            return "no PSQLException ";
        }
        return "accepted ";
    }

    static String errorStates(Connection connection) throws SQLException {
        String seen;
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1); // the driver's own: a cancel request
            statement.executeQuery(LONG);
            seen = "no timeout ";
        } catch (SQLException error) {
            seen = error.getSQLState() + " ";
        }
        execute(connection, "SET statement_timeout = 200");
        seen += refused(connection, LONG);
        execute(connection, "SET statement_timeout = 0");
        execute(connection, "INSERT INTO seats VALUES (201), (202)");
        seen += refused(connection, "INSERT INTO seats VALUES (202)");
        execute(connection, "INSERT INTO seats VALUES (202), (203) ON CONFLICT DO NOTHING");
        return seen + query(connection, "SELECT id FROM seats WHERE id BETWEEN 200 AND 299 ORDER BY id");
    }

    // ---- both, side by side -------------------------------------------------------------------------

    static void preparedBoth(Connection learned, Connection btree, String text, String sql, long base, int parameters, String node, String condition)
        throws SQLException {
        String[] seen = prepared(learned, sql, base, parameters);
        same(seen[0], prepared(btree, sql, base, parameters)[0], "prepared statement, " + text + ": as with btree");
        check(Integer.parseInt(seen[1]) > 0 && seen[2].contains(node) && seen[2].contains(condition),
            "prepared statement, " + text + ": a generic plan by the learned index", seen[1] + " generic plans\n" + seen[2]);
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection learned = connect("learned"); Connection btree = connect("btree")) {
            System.out.println("# " + learned.getMetaData().getDriverName() + " " + learned.getMetaData().getDriverVersion());
            preparedBoth(learned, btree, "counts", COUNT, 100000, 2, "Custom Scan (LearnedAggregate)", "id >= $1");
            preparedBoth(learned, btree, "rows by key", ROW, 90000, 1, "Index Scan using readings_id_idx", "id = $1");
            String sql = "SELECT * FROM readings WHERE id BETWEEN 30000 AND 90000 ORDER BY id";
            byte[] data = copyOut(learned, sql);
            check(data.length > 100000 && Arrays.equals(data, copyOut(btree, sql)), "COPY binary out: the bytes of btree", data.length);
            same(copyIn(learned, data), copyIn(btree, data), "COPY binary in: as with btree");
            same(cursors(learned), cursors(btree), "cursors by fetch size, scrolled and held over a commit: as with btree");
            same(batches(learned), batches(btree), "batches, an error within one: as with btree");
            String[] ended = cancelled(learned);
            check(ended[0].equals("57014") && Long.parseLong(ended[1]) < 1000, "cancel() ends a count within a second (" + ended[1] + " ms)", ended[0]);
            check(query(learned, "SELECT count(*) FROM readings WHERE id > 0").equals("100000 / "), "and the connection goes on", "");
            String states = errorStates(learned);
            check(states.equals("57014 57014 null 23P01 seats_id_excl 201 / 202 / 203 / "),
                "errors: 57014 of timeouts, 23P01 of an exclusion constraint, and no row is left of it", states);
            same(states, errorStates(btree), "errors: as with btree");
        }
        System.exit(failed == 0 ? 0 : 1);
    }
}
