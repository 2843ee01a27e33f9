package import GRDB

/// The ledger's own tables, beside those of every journal.
package enum LedgerSchema {
    package static func register(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("ledger-1") { db in
            try db.execute(
                sql: """
                    -- What was logged: metadata and digest. The message itself is evidence, erasable at its term.
                    CREATE TABLE entry (
                        number INTEGER PRIMARY KEY,
                        received INTEGER NOT NULL,
                        source TEXT NOT NULL,
                        epoch TEXT NOT NULL,
                        sequence INTEGER NOT NULL,
                        chain TEXT,
                        id TEXT NOT NULL,
                        type TEXT NOT NULL,
                        subject TEXT,
                        time INTEGER NOT NULL,
                        digest TEXT NOT NULL,
                        UNIQUE (epoch, sequence)
                    ) STRICT;
                    CREATE INDEX entry_subject ON entry (subject) WHERE subject IS NOT NULL;
                    CREATE TABLE evidence (
                        number INTEGER PRIMARY KEY,
                        signature TEXT NOT NULL,
                        body BLOB NOT NULL
                    ) STRICT;

                    CREATE TABLE lane (
                        epoch TEXT PRIMARY KEY,
                        source TEXT NOT NULL,
                        through INTEGER NOT NULL,
                        seen INTEGER NOT NULL,
                        announced INTEGER NOT NULL,
                        gap_since INTEGER,
                        asked INTEGER NOT NULL DEFAULT 0,
                        asks INTEGER NOT NULL DEFAULT 0
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX lane_gap ON lane (gap_since) WHERE gap_since IS NOT NULL;

                    CREATE TABLE participant (
                        id TEXT PRIMARY KEY,
                        seen INTEGER NOT NULL,
                        epoch TEXT,
                        backlog INTEGER NOT NULL DEFAULT 0,
                        oldest INTEGER NOT NULL DEFAULT 0,
                        circuit TEXT,
                        version TEXT
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE request (
                        subject TEXT PRIMARY KEY,
                        house TEXT,
                        agency TEXT,
                        service TEXT,
                        first_seen INTEGER NOT NULL,
                        submitted INTEGER,
                        expiry INTEGER,
                        due INTEGER,
                        millimes INTEGER,
                        taken INTEGER,
                        status TEXT,
                        revision INTEGER NOT NULL DEFAULT 0,
                        status_at INTEGER,
                        outcome TEXT,
                        is_terminal INTEGER NOT NULL DEFAULT 0,
                        delivered INTEGER,
                        asked INTEGER NOT NULL DEFAULT 0,
                        asks INTEGER NOT NULL DEFAULT 0
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX request_untaken ON request (first_seen) WHERE taken IS NULL AND is_terminal = 0;
                    CREATE INDEX request_due ON request (due) WHERE is_terminal = 0;
                    CREATE INDEX request_orphan ON request (first_seen) WHERE submitted IS NULL;
                    CREATE INDEX request_undelivered ON request (status_at) WHERE is_terminal = 1 AND delivered IS NULL;

                    CREATE TABLE finding (
                        number INTEGER PRIMARY KEY,
                        class TEXT NOT NULL,
                        key TEXT NOT NULL,
                        severity TEXT NOT NULL,
                        participant TEXT,
                        subject TEXT,
                        opened INTEGER NOT NULL,
                        cleared INTEGER,
                        cause TEXT,
                        evidence TEXT NOT NULL
                    ) STRICT;
                    CREATE UNIQUE INDEX finding_open ON finding (class, key) WHERE cleared IS NULL;
                    CREATE INDEX finding_subject ON finding (subject) WHERE cleared IS NULL AND subject IS NOT NULL;
                    """)
        }
        // What is parked is shown to the citizen too, so it is delivered like an end.
        migrator.registerMigration("ledger-2") { db in
            try db.execute(
                sql: """
                    DROP INDEX request_undelivered;
                    CREATE INDEX request_undelivered ON request (status_at)
                        WHERE (is_terminal = 1 OR status = 'parked') AND delivered IS NULL;
                    """)
        }
        migrator.registerMigration("ledger-3") { db in
            try db.execute(
                sql: """
                    -- Documents, counted by their pieces: what a request or an outcome names must come as surely as itself.
                    CREATE TABLE attachment (
                        source TEXT NOT NULL,
                        id TEXT NOT NULL,
                        participant TEXT NOT NULL,
                        subject TEXT NOT NULL,
                        cause TEXT,
                        pieces INTEGER NOT NULL,
                        seen INTEGER NOT NULL DEFAULT 0,
                        moved INTEGER NOT NULL,
                        whole INTEGER,
                        -- Nobody waits for it any more: its request has ended without it, or another outcome took its place.
                        ended INTEGER,
                        asked INTEGER NOT NULL DEFAULT 0,
                        asks INTEGER NOT NULL DEFAULT 0,
                        PRIMARY KEY (source, id)
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX attachment_open ON attachment (moved) WHERE whole IS NULL AND ended IS NULL;
                    -- When a piece of any document last came from there: documents go out one after the other.
                    ALTER TABLE participant ADD COLUMN piece_at INTEGER NOT NULL DEFAULT 0;
                    CREATE INDEX attachment_subject ON attachment (subject);
                    CREATE TABLE attachment_piece (
                        source TEXT NOT NULL,
                        id TEXT NOT NULL,
                        piece INTEGER NOT NULL,
                        PRIMARY KEY (source, id, piece)
                    ) STRICT, WITHOUT ROWID;
                    """)
        }
        registerPairs(in: &migrator)
        registerRegistry(in: &migrator)
        registerBounds(in: &migrator)
    }
}
