import GRDB

extension LedgerSchema {
    /// A request is house and number, a lane is source and epoch: nobody's word falls on another's row.
    static func registerPairs(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("ledger-4") { db in
            try db.execute(sql: entries + lanes + requests + others)
        }
    }

    private static let entries = """
        CREATE TABLE entry_4 (
            number INTEGER PRIMARY KEY,
            received INTEGER NOT NULL,
            source TEXT NOT NULL,
            epoch TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            chain TEXT,
            id TEXT NOT NULL,
            type TEXT NOT NULL,
            -- The request that it is about, by its own words; `house` is absent where an intention of version 1.0 names none.
            house TEXT,
            subject TEXT,
            time INTEGER NOT NULL,
            digest TEXT NOT NULL,
            UNIQUE (source, epoch, sequence)
        ) STRICT;
        INSERT INTO entry_4 SELECT e.number, received, source, epoch, sequence, chain, id, type,
            CASE WHEN subject IS NULL THEN NULL WHEN source LIKE '/houses/%' THEN substr(source, 9)
                ELSE json_extract(CAST(v.body AS TEXT), '$.recipient') END,
            subject, time, digest FROM entry e LEFT JOIN evidence v ON v.number = e.number;
        DROP TABLE entry;
        ALTER TABLE entry_4 RENAME TO entry;
        CREATE INDEX entry_subject ON entry (subject) WHERE subject IS NOT NULL;
        -- Whether its own signature was verified; otherwise the verified end of its run vouches for it, through the chain.
        ALTER TABLE evidence ADD COLUMN is_checked INTEGER NOT NULL DEFAULT 1;

        """

    private static let lanes = """
        CREATE TABLE lane_4 (
            source TEXT NOT NULL,
            epoch TEXT NOT NULL,
            through INTEGER NOT NULL,
            seen INTEGER NOT NULL,
            announced INTEGER NOT NULL,
            -- Its own `journal.opened` has come: the epoch is its source's.
            is_opened INTEGER NOT NULL DEFAULT 0,
            -- The epoch is another's: nothing in it is taken from this source.
            is_foreign INTEGER NOT NULL DEFAULT 0,
            gap_since INTEGER,
            asked INTEGER NOT NULL DEFAULT 0,
            asks INTEGER NOT NULL DEFAULT 0,
            -- The newest beat, the number that it named, and when it came.
            beat INTEGER NOT NULL DEFAULT 0,
            beat_sequence INTEGER NOT NULL DEFAULT 0,
            beat_at INTEGER,
            PRIMARY KEY (source, epoch)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO lane_4 (source, epoch, through, seen, announced, is_opened, gap_since, asked, asks)
            SELECT source, epoch, through, seen, announced,
                EXISTS (SELECT 1 FROM entry e WHERE e.source = lane.source AND e.epoch = lane.epoch AND e.sequence = 1
                    AND e.type = 'tn.wasl.journal.opened.v1'),
                gap_since, asked, asks FROM lane;
        DROP TABLE lane;
        ALTER TABLE lane_4 RENAME TO lane;
        CREATE INDEX lane_gap ON lane (gap_since) WHERE gap_since IS NOT NULL;
        CREATE INDEX lane_epoch ON lane (epoch);

        ALTER TABLE participant ADD COLUMN registry INTEGER;
        ALTER TABLE participant ADD COLUMN registry_behind INTEGER;
        -- Its clock against the ledger's at the newest beat, in milliseconds, and how many beats in a row were behind.
        ALTER TABLE participant ADD COLUMN skew INTEGER;
        ALTER TABLE participant ADD COLUMN late_beats INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE participant ADD COLUMN old_beats INTEGER NOT NULL DEFAULT 0;

        """

    private static let requests = """
        CREATE TABLE request_4 (
            house TEXT NOT NULL,
            subject TEXT NOT NULL,
            message TEXT NOT NULL,
            agency TEXT NOT NULL,
            service TEXT NOT NULL,
            first_seen INTEGER NOT NULL,
            submitted INTEGER NOT NULL,
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
            asks INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (house, subject)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO request_4 SELECT house, subject,
            coalesce((SELECT id FROM entry e WHERE e.subject = request.subject AND e.source = '/houses/' || request.house
                AND e.type = 'tn.wasl.request.submitted.v1' ORDER BY number LIMIT 1), ''),
            agency, service, first_seen, submitted, expiry, due, millimes, taken, status, revision, status_at, outcome, is_terminal,
            delivered, asked, asks FROM request WHERE submitted IS NOT NULL AND house IS NOT NULL AND agency IS NOT NULL;

        -- Words about requests that have not come: nobody knows yet who was entitled to them.
        CREATE TABLE waiting (
            subject TEXT NOT NULL,
            -- '' where the word names no house.
            house TEXT NOT NULL,
            entry INTEGER NOT NULL,
            source TEXT NOT NULL,
            type TEXT NOT NULL,
            since INTEGER NOT NULL,
            is_named INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (subject, house, entry)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX waiting_source ON waiting (source, entry);
        CREATE INDEX waiting_unnamed ON waiting (since) WHERE is_named = 0;
        INSERT INTO waiting (subject, house, entry, source, type, since)
            SELECT e.subject, coalesce(e.house, ''), e.number, e.source, e.type, e.received FROM entry e
            JOIN request r ON r.subject = e.subject WHERE r.submitted IS NULL;

        DROP TABLE request;
        ALTER TABLE request_4 RENAME TO request;
        CREATE INDEX request_subject ON request (subject);
        CREATE INDEX request_untaken ON request (first_seen) WHERE taken IS NULL AND is_terminal = 0;
        CREATE INDEX request_due ON request (due) WHERE is_terminal = 0;
        CREATE INDEX request_undelivered ON request (status_at)
            WHERE (is_terminal = 1 OR status = 'parked') AND delivered IS NULL;

        """

    private static let others = """
        ALTER TABLE attachment ADD COLUMN house TEXT NOT NULL DEFAULT '';
        UPDATE attachment SET house = CASE WHEN source LIKE '/houses/%' THEN participant
            ELSE coalesce((SELECT house FROM request r WHERE r.subject = attachment.subject), '') END;
        ALTER TABLE finding ADD COLUMN house TEXT;
        UPDATE finding SET house = (SELECT house FROM request r WHERE r.subject = finding.subject) WHERE subject IS NOT NULL;
        -- What is open about a request is named by house and number from here on.
        UPDATE finding SET key = house || ' ' || subject WHERE cleared IS NULL AND house IS NOT NULL AND key = subject;
        -- Who closed it, where a person did.
        ALTER TABLE finding ADD COLUMN closed_by TEXT;
        CREATE INDEX finding_blamed ON finding (class, participant) WHERE cleared IS NULL;
        """
}
