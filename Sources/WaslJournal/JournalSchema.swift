import GRDB

/// The tables that every role's journal has. A role adds its own in later migrations.
enum JournalSchema {
    static func register(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("journal-1") { db in
            try db.execute(
                sql: """
                    CREATE TABLE journal (
                        one INTEGER PRIMARY KEY CHECK (one = 1),
                        participant TEXT NOT NULL,
                        epoch TEXT NOT NULL,
                        sequence INTEGER NOT NULL,
                        hash TEXT,
                        number INTEGER NOT NULL,
                        confirmed_through INTEGER NOT NULL,
                        salt BLOB NOT NULL
                    ) STRICT;

                    CREATE TABLE outbox (
                        number INTEGER PRIMARY KEY,
                        epoch TEXT NOT NULL,
                        sequence INTEGER NOT NULL,
                        id TEXT NOT NULL,
                        type TEXT NOT NULL,
                        exchange TEXT NOT NULL,
                        routing_key TEXT NOT NULL,
                        subject TEXT,
                        time INTEGER NOT NULL,
                        hash TEXT NOT NULL,
                        signature TEXT NOT NULL,
                        body BLOB NOT NULL
                    ) STRICT;
                    CREATE INDEX outbox_lane ON outbox (epoch, sequence);
                    CREATE INDEX outbox_subject ON outbox (subject) WHERE subject IS NOT NULL;

                    CREATE TABLE inbox (
                        source TEXT NOT NULL,
                        id TEXT NOT NULL,
                        digest TEXT NOT NULL,
                        received INTEGER NOT NULL,
                        PRIMARY KEY (source, id)
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE quarantine (
                        number INTEGER PRIMARY KEY,
                        received INTEGER NOT NULL,
                        exchange TEXT NOT NULL,
                        routing_key TEXT NOT NULL,
                        message_id TEXT NOT NULL,
                        reason TEXT NOT NULL,
                        digest TEXT NOT NULL UNIQUE,
                        seen INTEGER NOT NULL,
                        body BLOB NOT NULL
                    ) STRICT;
                    """)
        }
        migrator.registerMigration("journal-2") { db in
            try db.execute(
                sql: """
                    ALTER TABLE journal ADD COLUMN commits INTEGER NOT NULL DEFAULT 0;

                    -- What an earlier, lost journal of this participant had said, as the ledger kept it: to be said again when asked.
                    CREATE TABLE recovered (
                        epoch TEXT NOT NULL,
                        sequence INTEGER NOT NULL,
                        id TEXT NOT NULL,
                        exchange TEXT NOT NULL,
                        routing_key TEXT NOT NULL,
                        subject TEXT,
                        time INTEGER NOT NULL,
                        hash TEXT NOT NULL,
                        signature TEXT NOT NULL,
                        body BLOB NOT NULL,
                        PRIMARY KEY (epoch, sequence)
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX recovered_subject ON recovered (subject) WHERE subject IS NOT NULL;

                    ALTER TABLE quarantine ADD COLUMN signature TEXT;
                    ALTER TABLE quarantine ADD COLUMN queue TEXT NOT NULL DEFAULT '';
                    """)
        }
        migrator.registerMigration("journal-3") { db in
            // How many deliveries came a second time: the measure of what the inbox holds back.
            try db.execute(sql: "ALTER TABLE journal ADD COLUMN redelivered INTEGER NOT NULL DEFAULT 0")
        }
        registerDocuments(in: &migrator)
        migrator.registerMigration("journal-5") { db in
            try db.execute(
                sql: """
                    -- The number of the newest presence beat: it only grows.
                    ALTER TABLE journal ADD COLUMN beat INTEGER NOT NULL DEFAULT 0;
                    CREATE INDEX quarantine_reason ON quarantine (reason);
                    """)
        }
        migrator.registerMigration("journal-6") { db in
            // The highest version of the registry that was held: a restart with an older file is refused.
            try db.execute(sql: "ALTER TABLE journal ADD COLUMN registry INTEGER NOT NULL DEFAULT 0")
        }
        migrator.registerMigration("journal-7") { db in
            // A page of one cause, without a look at what was set aside for others: at every beat, however much lies there.
            try db.execute(
                sql: """
                    DROP INDEX quarantine_reason;
                    CREATE INDEX quarantine_cause ON quarantine (substr(reason, 1, instr(reason, ':')), number);
                    """)
        }
        migrator.registerMigration("journal-8") { db in
            // Whose user put it on the broker, where the broker says so.
            try db.execute(
                sql: """
                    ALTER TABLE quarantine ADD COLUMN user_id TEXT;
                    CREATE INDEX quarantine_message ON quarantine (message_id);
                    """)
        }
    }
}
