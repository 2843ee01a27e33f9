package import GRDB

/// The house's own tables, beside those of every journal.
package enum HouseSchema {
    package static func register(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("house-1") { db in
            try db.execute(
                sql: """
                    CREATE TABLE request (
                        id TEXT PRIMARY KEY,
                        accepted INTEGER NOT NULL,
                        service TEXT NOT NULL,
                        contract INTEGER NOT NULL,
                        agency TEXT NOT NULL,
                        expiry INTEGER NOT NULL,
                        outbox INTEGER NOT NULL,
                        receipt TEXT NOT NULL,
                        receipt_signature TEXT NOT NULL,
                        state TEXT NOT NULL,
                        state_at INTEGER NOT NULL,
                        revision INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX request_state ON request (state, id);

                    CREATE TABLE idempotency (
                        key TEXT PRIMARY KEY,
                        digest TEXT NOT NULL,
                        request TEXT NOT NULL
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE outcome (
                        request TEXT NOT NULL,
                        revision INTEGER NOT NULL,
                        id TEXT NOT NULL,
                        received INTEGER NOT NULL,
                        status TEXT NOT NULL,
                        body BLOB NOT NULL,
                        PRIMARY KEY (request, revision, id)
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE event (
                        number INTEGER PRIMARY KEY,
                        at INTEGER NOT NULL,
                        request TEXT NOT NULL,
                        accepted INTEGER NOT NULL,
                        service TEXT NOT NULL,
                        state TEXT NOT NULL
                    ) STRICT;
                    """)
        }
    }
}
