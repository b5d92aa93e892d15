-- The plane's state: an append-only log of events, and what is derived from it by trigger in the same
-- transaction, so that a page costs a page. Times are microseconds since 1970, UTC.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE events (
  seq       INTEGER PRIMARY KEY,
  kind      TEXT    NOT NULL,
  at        INTEGER NOT NULL,
  workspace TEXT    NOT NULL,
  parent    TEXT    NOT NULL,  -- job of an execution, execution of a task, task of a run
  name      TEXT    NOT NULL,
  status    TEXT,
  body      TEXT               -- JSON
);
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

CREATE TABLE jobs (
  workspace  TEXT NOT NULL,
  name       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  status     TEXT NOT NULL,
  search     TEXT NOT NULL,    -- name, display name, label keys and values, in lower case
  body       TEXT NOT NULL,
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
  body       TEXT NOT NULL,
  total      INTEGER NOT NULL DEFAULT 0,
  success    INTEGER NOT NULL DEFAULT 0,
  failure    INTEGER NOT NULL DEFAULT 0,
  running    INTEGER NOT NULL DEFAULT 0,
  cancelled  INTEGER NOT NULL DEFAULT 0,
  retried    INTEGER NOT NULL DEFAULT 0,
  UNIQUE (workspace, job, id)
);
CREATE INDEX executions_by_time ON executions (workspace, job, created_at, id);
-- A task's event names its execution alone, so ids are unique in a workspace.
CREATE UNIQUE INDEX executions_by_id ON executions (workspace, id);

CREATE TABLE tasks (
  execution  INTEGER NOT NULL,
  position   INTEGER NOT NULL, -- order of scheduling, which breaks ties of time
  name       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at   INTEGER,
  attempts   INTEGER NOT NULL DEFAULT 0,
  status     TEXT NOT NULL,
  spec       TEXT,
  conditions TEXT,
  PRIMARY KEY (execution, name)
) WITHOUT ROWID;
CREATE INDEX tasks_by_time ON tasks (execution, created_at, position);

CREATE TABLE definitions (
  name TEXT PRIMARY KEY,
  body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE runs (
  id         TEXT PRIMARY KEY,
  task       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at   INTEGER,
  status     TEXT NOT NULL,
  end_reason TEXT,
  exit_code  INTEGER NOT NULL DEFAULT 0,
  body       TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_by_time ON runs (task, created_at, id);

CREATE TRIGGER job_defined AFTER INSERT ON events WHEN NEW.kind = 'job.defined'
BEGIN
  INSERT INTO jobs VALUES (
    NEW.workspace, NEW.name, NEW.at, NEW.at, NEW.status, json_extract(NEW.body, '$.search'), NEW.body
  )
  ON CONFLICT (workspace, name) DO UPDATE SET
    updated_at = excluded.updated_at, status = excluded.status, search = excluded.search, body = excluded.body;
END;

CREATE TRIGGER execution_created AFTER INSERT ON events WHEN NEW.kind = 'execution.created'
BEGIN
  INSERT INTO executions (workspace, job, id, created_at, updated_at, status, body)
  VALUES (NEW.workspace, NEW.parent, NEW.name, NEW.at, NEW.at, NEW.status, NEW.body);
END;

CREATE TRIGGER execution_changed AFTER INSERT ON events WHEN NEW.kind = 'execution.status'
BEGIN
  UPDATE executions SET
    status = NEW.status,
    updated_at = NEW.at,
    started_at = CASE WHEN NEW.status = 'running' THEN coalesce(started_at, NEW.at) ELSE started_at END,
    ended_at = CASE WHEN NEW.status IN ('succeeded', 'failed', 'cancelled', 'timeout') THEN NEW.at END
  WHERE workspace = NEW.workspace AND job = NEW.parent AND id = NEW.name;
END;

CREATE TRIGGER task_scheduled AFTER INSERT ON events WHEN NEW.kind = 'task.scheduled'
BEGIN
  INSERT INTO tasks (execution, position, name, created_at, updated_at, status, spec)
  SELECT key, total, NEW.name, NEW.at, NEW.at, NEW.status, NEW.body
  FROM executions WHERE workspace = NEW.workspace AND id = NEW.parent;
  UPDATE executions SET total = total + 1, updated_at = NEW.at
  WHERE workspace = NEW.workspace AND id = NEW.parent;
END;

CREATE TRIGGER task_changed AFTER INSERT ON events WHEN NEW.kind = 'task.status'
BEGIN
  UPDATE executions SET
    success = success + (NEW.status = 'succeeded') - (task.status = 'succeeded'),
    failure = failure + (NEW.status = 'failed') - (task.status = 'failed'),
    running = running + (NEW.status = 'running') - (task.status = 'running'),
    cancelled = cancelled + (NEW.status = 'cancelled') - (task.status = 'cancelled'),
    -- Tasks that were retried, not retries: a task counts when its second attempt begins.
    retried = retried + (NEW.status = 'running' AND task.status <> 'running' AND task.attempts = 1),
    updated_at = NEW.at
  FROM (
    SELECT tasks.status, tasks.attempts, tasks.execution FROM tasks
    JOIN executions ON executions.key = tasks.execution
    WHERE executions.workspace = NEW.workspace AND executions.id = NEW.parent AND tasks.name = NEW.name
  ) AS task
  WHERE executions.key = task.execution;
  UPDATE tasks SET
    status = NEW.status,
    updated_at = NEW.at,
    started_at = CASE WHEN NEW.status = 'running' THEN coalesce(started_at, NEW.at) ELSE started_at END,
    ended_at = CASE WHEN NEW.status IN ('succeeded', 'failed', 'cancelled') THEN NEW.at END,
    attempts = attempts + (NEW.status = 'running' AND status <> 'running'),
    conditions = coalesce(NEW.body, conditions)
  WHERE name = NEW.name
    AND execution = (SELECT key FROM executions WHERE workspace = NEW.workspace AND id = NEW.parent);
END;

CREATE TRIGGER definition_changed AFTER INSERT ON events WHEN NEW.kind = 'definition'
BEGIN
  INSERT INTO definitions VALUES (NEW.name, NEW.body) ON CONFLICT (name) DO UPDATE SET body = excluded.body;
END;

CREATE TRIGGER run_created AFTER INSERT ON events WHEN NEW.kind = 'run.created'
BEGIN
  INSERT INTO runs (id, task, created_at, status, body) VALUES (NEW.name, NEW.parent, NEW.at, 'pending', NEW.body);
END;

CREATE TRIGGER run_changed AFTER INSERT ON events WHEN NEW.kind = 'run.status'
BEGIN
  UPDATE runs SET
    status = NEW.status,
    started_at = CASE WHEN NEW.status = 'running' THEN coalesce(started_at, NEW.at) ELSE started_at END,
    ended_at = CASE WHEN NEW.status = 'ended' THEN NEW.at END,
    end_reason = json_extract(NEW.body, '$.end_reason'),
    exit_code = coalesce(json_extract(NEW.body, '$.exit_code'), 0)
  WHERE id = NEW.name;
END;
