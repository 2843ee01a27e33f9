package import GRDB
import WaslModel
import WaslSeal

/// The agency worker's own tables, beside those of every journal.
package enum AgencySchema {
    package static func register(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("agency-1") { db in
            try db.execute(
                sql: """
                    CREATE TABLE job (
                        number INTEGER PRIMARY KEY,
                        subject TEXT NOT NULL,
                        source TEXT NOT NULL,
                        message TEXT NOT NULL,
                        service TEXT NOT NULL,
                        contract INTEGER NOT NULL,
                        house TEXT NOT NULL,
                        accepted INTEGER NOT NULL,
                        expiry INTEGER NOT NULL,
                        taken INTEGER NOT NULL,
                        millimes INTEGER,
                        sealed TEXT NOT NULL,
                        state TEXT NOT NULL,
                        attempts INTEGER NOT NULL DEFAULT 0,
                        first_attempt INTEGER,
                        last_attempt INTEGER,
                        doubted INTEGER NOT NULL DEFAULT 0,
                        absences INTEGER NOT NULL DEFAULT 0,
                        due INTEGER NOT NULL,
                        revision INTEGER NOT NULL DEFAULT 0,
                        taken_said INTEGER NOT NULL DEFAULT 0,
                        reason TEXT,
                        UNIQUE (source, subject)
                    ) STRICT;
                    CREATE INDEX job_subject ON job (subject);
                    CREATE INDEX job_open ON job (state, due) WHERE state IN ('ready', 'calling', 'looking');
                    CREATE INDEX job_parked ON job (taken) WHERE state = 'parked';
                    CREATE INDEX job_unsaid ON job (taken) WHERE taken_said = 0;

                    CREATE TABLE attempt (
                        job INTEGER NOT NULL,
                        n INTEGER NOT NULL,
                        phase TEXT NOT NULL,
                        intended INTEGER NOT NULL,
                        ended INTEGER,
                        verdict TEXT,
                        PRIMARY KEY (job, n)
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE resolution (
                        subject TEXT PRIMARY KEY,
                        at INTEGER NOT NULL,
                        text TEXT NOT NULL,
                        signatures TEXT NOT NULL,
                        holders TEXT NOT NULL,
                        evidence BLOB NOT NULL
                    ) STRICT;
                    """)
        }
        migrator.registerMigration("agency-2") { db in
            try db.execute(
                sql: """
                    ALTER TABLE job ADD COLUMN heard INTEGER NOT NULL DEFAULT 0;
                    ALTER TABLE job ADD COLUMN note TEXT;
                    DROP INDEX job_open;
                    CREATE INDEX job_open ON job (state, due) WHERE state IN ('gathering', 'ready', 'calling', 'looking', 'desk');

                    -- Answers that no rule covers, sealed to ourselves: for the engineer who writes the missing rule.
                    CREATE TABLE answer (
                        job INTEGER NOT NULL,
                        n INTEGER NOT NULL,
                        status INTEGER NOT NULL,
                        bytes INTEGER NOT NULL,
                        digest TEXT NOT NULL,
                        sealed TEXT NOT NULL,
                        PRIMARY KEY (job, n)
                    ) STRICT;

                    -- Who of the agency's staff did what at the desk.
                    CREATE TABLE desk_act (
                        number INTEGER PRIMARY KEY,
                        subject TEXT NOT NULL,
                        at INTEGER NOT NULL,
                        holder TEXT NOT NULL,
                        act TEXT NOT NULL
                    ) STRICT;
                    CREATE INDEX desk_act_subject ON desk_act (subject);
                    """)
        }
        migrator.registerMigration("agency-3") { db in
            try db.execute(
                sql: """
                    -- What the agency is given as our reference. A job that may have been sent already keeps the one it was sent under,
                    -- and is looked up under the other one too.
                    ALTER TABLE job ADD COLUMN reference TEXT NOT NULL DEFAULT '';
                    ALTER TABLE job ADD COLUMN other_reference TEXT;

                    -- A request is house and number: what people did is kept by its job.
                    CREATE TABLE resolution_3 (
                        job INTEGER PRIMARY KEY,
                        at INTEGER NOT NULL,
                        text TEXT NOT NULL,
                        signatures TEXT NOT NULL,
                        holders TEXT NOT NULL,
                        evidence BLOB NOT NULL
                    ) STRICT;
                    INSERT OR IGNORE INTO resolution_3
                        SELECT j.number, r.at, r.text, r.signatures, r.holders, r.evidence FROM resolution r
                        JOIN job j ON j.subject = r.subject;
                    DROP TABLE resolution;
                    ALTER TABLE resolution_3 RENAME TO resolution;

                    ALTER TABLE desk_act ADD COLUMN job INTEGER NOT NULL DEFAULT 0;
                    UPDATE desk_act SET job = coalesce((SELECT j.number FROM job j WHERE j.subject = desk_act.subject), 0);
                    DROP INDEX desk_act_subject;
                    CREATE INDEX desk_act_job ON desk_act (job);
                    """)
            try fillReferences(db)
            try db.execute(sql: "CREATE INDEX job_reference ON job (reference)")
        }
        migrator.registerMigration("agency-4") { db in
            try db.execute(
                sql: """
                    -- Resolutions were kept in the clear. What there is waits here until somebody opens the journal with the keys.
                    ALTER TABLE resolution RENAME TO unsealed_resolution;

                    -- `text` and `evidence` are sealed to ourselves.
                    CREATE TABLE resolution (
                        job INTEGER PRIMARY KEY,
                        at INTEGER NOT NULL,
                        text TEXT NOT NULL,
                        signatures TEXT NOT NULL,
                        holders TEXT NOT NULL,
                        evidence TEXT NOT NULL
                    ) STRICT;
                    """)
        }
    }

    /// Until now every agency was given the request's number alone.
    private static func fillReferences(_ db: Database) throws {
        let mayHaveBeenSent = "attempts > 0 OR doubted <> 0 OR heard > 0 OR state IN ('calling', 'looking', 'parked')"
        let rows = try Row.fetchCursor(db, sql: "SELECT number, house, subject, \(mayHaveBeenSent) AS sent FROM job")
        while let row = try rows.next() {
            guard let house = ParticipantID(row["house"]), let subject = RequestID(row["subject"]) else { continue }
            let derived = AgencyReference(of: RequestKey(house: house, subject: subject))
            let isSent: Bool = row["sent"]
            try db.cachedStatement(sql: "UPDATE job SET reference = ?, other_reference = ? WHERE number = ?").execute(arguments: [
                isSent ? subject.text : derived.text, isSent ? derived.text : nil, row["number"] as Int64,
            ])
        }
    }
}
