package import GRDB

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
        migrator.registerMigration("agency-5") { db in
            try db.execute(
                sql: """
                    -- Resolutions were kept in the clear. What there is waits here until somebody opens the journal with the keys.
                    ALTER TABLE resolution RENAME TO unsealed_resolution;

                    -- `text` and `evidence` are sealed to ourselves.
                    CREATE TABLE resolution (
                        subject TEXT PRIMARY KEY,
                        at INTEGER NOT NULL,
                        text TEXT NOT NULL,
                        signatures TEXT NOT NULL,
                        holders TEXT NOT NULL,
                        evidence TEXT NOT NULL
                    ) STRICT;
                    """)
        }
    }
}
