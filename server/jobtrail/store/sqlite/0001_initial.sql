-- The tables of the store. Times are nanoseconds since 1970, UTC. Every order of a list has its index but those of runs
-- that are not by time, and the counts that a page needs are kept by triggers where they change.

-- Values of the store itself.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE jobs (
  workspace  TEXT NOT NULL,
  name       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  status     TEXT NOT NULL,
  search     TEXT NOT NULL,    -- name, display name, label keys and values, in lower case
  body       TEXT NOT NULL,    -- JSON: metadata and spec, as the documents have them
  PRIMARY KEY (workspace, name)
) WITHOUT ROWID;
CREATE INDEX jobs_by_time ON jobs (workspace, created_at, name);

CREATE TABLE executions (
  key        INTEGER PRIMARY KEY,
  workspace  TEXT NOT NULL,
  job        TEXT NOT NULL,
  id         TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at   INTEGER,
  status     TEXT NOT NULL,
  body       TEXT NOT NULL,              -- JSON: its spec
  tasks      INTEGER NOT NULL DEFAULT 0, -- rows of tasks; an import may count more than it lists
  total      INTEGER NOT NULL DEFAULT 0,
  success    INTEGER NOT NULL DEFAULT 0,
  failure    INTEGER NOT NULL DEFAULT 0,
  running    INTEGER NOT NULL DEFAULT 0,
  cancelled  INTEGER NOT NULL DEFAULT 0,
  retried    INTEGER NOT NULL DEFAULT 0, -- tasks that were retried, not retries
  UNIQUE (workspace, job, id)
);
CREATE INDEX executions_by_time ON executions (workspace, job, created_at, id);
-- Output and recorders name an execution without its job, so ids are unique in a workspace.
CREATE UNIQUE INDEX executions_by_id ON executions (workspace, id);

-- How many executions each job has.
CREATE TABLE tallies (
  workspace  TEXT NOT NULL,
  job        TEXT NOT NULL,
  executions INTEGER NOT NULL,
  PRIMARY KEY (workspace, job)
) WITHOUT ROWID;

CREATE TABLE tasks (
  execution  INTEGER NOT NULL,           -- key of its execution
  position   INTEGER NOT NULL,           -- order of scheduling, which breaks ties of time
  name       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  started_at INTEGER,                    -- of its first attempt
  ended_at   INTEGER,                    -- of its last attempt; null again while it is retried
  attempts   INTEGER NOT NULL,           -- that began
  status     TEXT NOT NULL,
  spec       TEXT NOT NULL,              -- JSON
  conditions TEXT NOT NULL,              -- JSON
  recorder   TEXT,                       -- who runs it, where that is a recorder of this machine
  PRIMARY KEY (execution, name)
) WITHOUT ROWID;
CREATE INDEX tasks_by_time ON tasks (execution, created_at, position);
-- What recorders still run, or left behind.
CREATE INDEX tasks_held ON tasks (recorder) WHERE recorder IS NOT NULL AND ended_at IS NULL;
CREATE INDEX tasks_open ON tasks (execution) WHERE ended_at IS NULL;

CREATE TRIGGER execution_inserted AFTER INSERT ON executions
BEGIN
  INSERT INTO tallies VALUES (NEW.workspace, NEW.job, 1)
  ON CONFLICT (workspace, job) DO UPDATE SET executions = executions + 1;
END;

CREATE TRIGGER execution_deleted AFTER DELETE ON executions
BEGIN
  DELETE FROM tasks WHERE execution = OLD.key;
  UPDATE tallies SET executions = executions - 1 WHERE workspace = OLD.workspace AND job = OLD.job;
  DELETE FROM tallies WHERE workspace = OLD.workspace AND job = OLD.job AND executions = 0;
END;

CREATE TRIGGER task_inserted AFTER INSERT ON tasks
BEGIN
  UPDATE executions SET
    tasks = tasks + 1,
    total = total + 1,
    success = success + (NEW.status = 'succeeded'),
    failure = failure + (NEW.status = 'failed'),
    running = running + (NEW.status = 'running'),
    cancelled = cancelled + (NEW.status = 'cancelled'),
    retried = retried + (NEW.attempts > 1),
    updated_at = max(updated_at, NEW.updated_at)
  WHERE key = NEW.execution;
END;

CREATE TRIGGER task_updated AFTER UPDATE ON tasks
BEGIN
  UPDATE executions SET
    success = success + (NEW.status = 'succeeded') - (OLD.status = 'succeeded'),
    failure = failure + (NEW.status = 'failed') - (OLD.status = 'failed'),
    running = running + (NEW.status = 'running') - (OLD.status = 'running'),
    cancelled = cancelled + (NEW.status = 'cancelled') - (OLD.status = 'cancelled'),
    retried = retried + (NEW.attempts > 1) - (OLD.attempts > 1),
    updated_at = max(updated_at, NEW.updated_at)
  WHERE key = NEW.execution;
END;

-- Output: the last lines of each task and run.
CREATE TABLE lines (
  seq       INTEGER PRIMARY KEY,
  workspace TEXT    NOT NULL,
  owner     TEXT    NOT NULL,  -- id of the execution or run
  task      TEXT    NOT NULL,  -- name of the task; empty for a run
  at        INTEGER NOT NULL,  -- when it was read; 0 where that is not known
  stream    TEXT    NOT NULL,  -- stdout, stderr, or system
  text      TEXT    NOT NULL
);
CREATE INDEX lines_by_time ON lines (workspace, owner, at, seq);
CREATE INDEX lines_of_task ON lines (workspace, owner, task, at, seq);

-- Definitions of scheduled tasks and services.
CREATE TABLE definitions (
  name TEXT PRIMARY KEY,
  body TEXT NOT NULL           -- JSON
) WITHOUT ROWID;

-- Runs of scheduled tasks and services.
CREATE TABLE runs (
  seq        INTEGER PRIMARY KEY,        -- order of insertion, which breaks ties of time
  id         TEXT NOT NULL UNIQUE,
  task       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at   INTEGER,
  status     TEXT NOT NULL,
  end_reason TEXT,
  exit_code  INTEGER NOT NULL,
  body       TEXT NOT NULL,              -- JSON
  -- As RunWisp 1.0.1 spells it: the phase, and how it ended once it has. The seed document's words are its older ones.
  word       TEXT    GENERATED ALWAYS AS (
    CASE WHEN status <> 'ended' THEN status WHEN end_reason = 'success' THEN 'succeeded'
    ELSE coalesce(end_reason, status) END
  ) STORED,
  -- Where nobody says so, what RunWisp counts as a failure unless it is configured otherwise.
  failure    INTEGER GENERATED ALWAYS AS (
    coalesce(
      json_extract(body, '$.is_failure'),
      coalesce(end_reason, '') IN ('failed', 'timeout', 'crashed', 'log_overflow', 'start_failed', 'missed')
    )
  ) STORED
);
-- Pages by time, of all runs and of a task's; other orders sort. Runs that tie come in the order of insertion: SQLite
-- sorts those of one time by seq while it reads an index backwards.
CREATE INDEX runs_by_time ON runs (created_at);
CREATE INDEX runs_of_task_by_time ON runs (task, created_at);
-- Few runs, that most questions are about.
CREATE INDEX rare_runs_by_time ON runs (created_at) WHERE word <> 'succeeded' OR failure;
CREATE INDEX rare_runs_of_task_by_time ON runs (task, created_at) WHERE word <> 'succeeded' OR failure;

-- How many runs of each task are in each state.
CREATE TABLE run_tallies (
  task    TEXT    NOT NULL,
  word    TEXT    NOT NULL,
  failure INTEGER NOT NULL,
  runs    INTEGER NOT NULL,
  PRIMARY KEY (task, word, failure)
) WITHOUT ROWID;

CREATE TRIGGER run_inserted AFTER INSERT ON runs
BEGIN
  INSERT INTO run_tallies VALUES (NEW.task, NEW.word, NEW.failure, 1)
  ON CONFLICT (task, word, failure) DO UPDATE SET runs = runs + 1;
END;

CREATE TRIGGER run_updated AFTER UPDATE ON runs WHEN OLD.word <> NEW.word OR OLD.failure <> NEW.failure
BEGIN
  UPDATE run_tallies SET runs = runs - 1 WHERE task = OLD.task AND word = OLD.word AND failure = OLD.failure;
  DELETE FROM run_tallies WHERE task = OLD.task AND word = OLD.word AND failure = OLD.failure AND runs = 0;
  INSERT INTO run_tallies VALUES (NEW.task, NEW.word, NEW.failure, 1)
  ON CONFLICT (task, word, failure) DO UPDATE SET runs = runs + 1;
END;

CREATE TRIGGER run_deleted AFTER DELETE ON runs
BEGIN
  UPDATE run_tallies SET runs = runs - 1 WHERE task = OLD.task AND word = OLD.word AND failure = OLD.failure;
  DELETE FROM run_tallies WHERE task = OLD.task AND word = OLD.word AND failure = OLD.failure AND runs = 0;
END;
