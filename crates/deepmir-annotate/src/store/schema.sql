CREATE TABLE IF NOT EXISTS raters (
    id TEXT PRIMARY KEY,
    created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    settings TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE IF NOT EXISTS cases (
    id TEXT PRIMARY KEY,
    grid TEXT NOT NULL
);
-- The marks as they are now. A layer is one rater's marks on one case at one stage: 'own' (without
-- help), 'review' (a model's candidates beside them), 'adjudication', or 'visits' (what has changed since the visit
-- before; done is when it was signed).
CREATE TABLE IF NOT EXISTS layers (
    case_id TEXT NOT NULL REFERENCES cases(id),
    rater TEXT NOT NULL REFERENCES raters(id),
    stage TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0,
    exported INTEGER NOT NULL DEFAULT -1,
    next_lesion INTEGER NOT NULL DEFAULT 1,
    opened TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    done TEXT,
    -- Whose marks an adjudication is between.
    sources TEXT NOT NULL DEFAULT '',
    content TEXT NOT NULL,
    PRIMARY KEY (case_id, rater, stage)
);
-- Every operation with its time. State is 'done', 'undone', or 'abandoned': undone, and something
-- else done then.
CREATE TABLE IF NOT EXISTS operations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    case_id TEXT NOT NULL,
    rater TEXT NOT NULL,
    stage TEXT NOT NULL,
    at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    kind TEXT NOT NULL,
    request TEXT NOT NULL,
    delta TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'done'
);
CREATE INDEX IF NOT EXISTS operations_of_layer ON operations (case_id, rater, stage, state, number);
-- Undo, redo, done and reopened, with their times.
CREATE TABLE IF NOT EXISTS history (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    case_id TEXT NOT NULL,
    rater TEXT NOT NULL,
    stage TEXT NOT NULL,
    at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    what TEXT NOT NULL,
    operation INTEGER
);
CREATE VIEW IF NOT EXISTS lesions AS
    SELECT case_id, rater, stage, CAST(lesion.key AS INTEGER) AS lesion,
        json_extract(lesion.value, '$.class') AS class,
        json_extract(lesion.value, '$.certainty') AS certainty,
        json_extract(lesion.value, '$.region') AS region,
        json_extract(lesion.value, '$.comment') AS comment,
        json_extract(lesion.value, '$.origin') AS origin
    FROM layers, json_each(layers.content, '$.lesions') AS lesion;
