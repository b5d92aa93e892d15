-- What happened, in the order it was recorded: the only tables that are not derived. A migration makes
-- everything else anew from them. Times are nanoseconds since 1970, UTC.

CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS events (
  seq       INTEGER PRIMARY KEY,
  kind      TEXT    NOT NULL,
  at        INTEGER NOT NULL,
  workspace TEXT    NOT NULL,
  parent    TEXT    NOT NULL,  -- job of an execution, execution of a task, task of a run
  name      TEXT    NOT NULL,
  status    TEXT,
  body      TEXT,              -- JSON
  recorder  TEXT               -- who runs it, where that is a recorder of this machine
);

-- Output: the last lines of each task and run.
CREATE TABLE IF NOT EXISTS lines (
  seq       INTEGER PRIMARY KEY,
  workspace TEXT    NOT NULL,
  owner     TEXT    NOT NULL,  -- id of the execution or run
  task      TEXT    NOT NULL,  -- name of the task; empty for a run
  at        INTEGER NOT NULL,
  stream    TEXT    NOT NULL,  -- stdout, stderr, or system
  text      TEXT    NOT NULL
);
CREATE INDEX IF NOT EXISTS lines_by_time ON lines (workspace, owner, at, seq);
CREATE INDEX IF NOT EXISTS lines_of_task ON lines (workspace, owner, task, at, seq);
