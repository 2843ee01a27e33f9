import GRDB

extension JournalSchema {
    /// Documents on their way out and in, always in sealed pieces.
    static func registerDocuments(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("journal-4") { db in
            try db.execute(
                sql: """
                    -- A document that is to be sent. Bound once the request or outcome that it goes with is recorded; until then it is
                    -- only laid down here. Its pieces are sealed to ourselves, and each is gone when its message is minted.
                    CREATE TABLE outgoing (
                        number INTEGER PRIMARY KEY,
                        attachment TEXT NOT NULL UNIQUE,
                        laid_down INTEGER NOT NULL,
                        digest TEXT NOT NULL,
                        type TEXT NOT NULL,
                        size INTEGER NOT NULL,
                        pieces INTEGER NOT NULL,
                        minted INTEGER NOT NULL DEFAULT 0,
                        subject TEXT,
                        recipient TEXT,
                        service TEXT,
                        contract INTEGER,
                        cause TEXT
                    ) STRICT;
                    CREATE INDEX outgoing_unbound ON outgoing (digest) WHERE subject IS NULL;
                    CREATE INDEX outgoing_unminted ON outgoing (number) WHERE subject IS NOT NULL AND minted < pieces;
                    CREATE TABLE outgoing_piece (
                        attachment TEXT NOT NULL,
                        piece INTEGER NOT NULL,
                        sealed TEXT NOT NULL,
                        UNIQUE (attachment, piece)
                    ) STRICT;

                    -- A document that others send us. Any order of arrival is legal: a piece may come before the message that names it.
                    CREATE TABLE incoming (
                        source TEXT NOT NULL,
                        attachment TEXT NOT NULL,
                        subject TEXT NOT NULL,
                        service TEXT NOT NULL,
                        pieces INTEGER NOT NULL,
                        seen INTEGER NOT NULL DEFAULT 0,
                        cause TEXT,
                        place INTEGER,
                        PRIMARY KEY (source, attachment)
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX incoming_subject ON incoming (subject);
                    CREATE TABLE incoming_piece (
                        source TEXT NOT NULL,
                        attachment TEXT NOT NULL,
                        piece INTEGER NOT NULL,
                        message TEXT NOT NULL,
                        sealed TEXT NOT NULL,
                        UNIQUE (source, attachment, piece)
                    ) STRICT;
                    """)
        }
    }
}
