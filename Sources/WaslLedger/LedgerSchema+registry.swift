import GRDB

extension LedgerSchema {
    /// What the registry's changes make to do: to publish it, and to ask two people about what revoked keys signed.
    static func registerRegistry(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("ledger-5") { db in
            try db.execute(
                sql: """
                    -- Which version of the registry was last published to whom, and when.
                    CREATE TABLE registry_sent (
                        participant TEXT PRIMARY KEY,
                        version INTEGER NOT NULL,
                        at INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;

                    -- What a revoked key signed and was not logged before: what it says of itself, for those who decide. The messages are
                    -- set aside.
                    CREATE TABLE review (
                        source TEXT NOT NULL,
                        epoch TEXT NOT NULL,
                        sequence INTEGER NOT NULL,
                        digest TEXT NOT NULL,
                        id TEXT NOT NULL,
                        type TEXT NOT NULL,
                        time INTEGER NOT NULL,
                        received INTEGER NOT NULL,
                        is_rejected INTEGER NOT NULL,
                        PRIMARY KEY (source, epoch, sequence, digest)
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX review_id ON review (id);
                    """)
        }
    }
}
