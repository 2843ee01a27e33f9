import GRDB

extension LedgerSchema {
    /// What bounds a participant that says too much, and what holds a house's times to what it showed before.
    static func registerBounds(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("ledger-6") { db in
            try db.execute(
                sql: """
                    -- No later message of the lane can have been made before this.
                    ALTER TABLE lane ADD COLUMN time_max INTEGER NOT NULL DEFAULT 0;
                    -- Lanes that are asked about, or that have not come from their beginning.
                    CREATE INDEX lane_unsettled ON lane (source) WHERE gap_since IS NOT NULL OR is_opened = 0;
                    -- How many of its words wait for their requests.
                    ALTER TABLE participant ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;
                    UPDATE participant SET waiting =
                        (SELECT COUNT(*) FROM waiting w WHERE w.source IN ('/houses/' || participant.id, '/agencies/' || participant.id));
                    -- When its agency said that it has set the request aside.
                    ALTER TABLE request ADD COLUMN refused INTEGER;
                    CREATE INDEX request_open_message ON request (message) WHERE taken IS NULL AND is_terminal = 0;
                    """)
        }
    }
}
