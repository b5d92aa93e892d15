-- What follows from the events, by trigger in the same transaction, so that a page costs a page.
-- Every order of a list has its index. Times are nanoseconds since 1970, UTC.

CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'pruning')
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
  tasks      INTEGER NOT NULL DEFAULT 0, -- listed here; an import may count more than it lists
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

-- How many executions each job has: counting them would cost more the more there are.
CREATE TABLE tallies (
  workspace  TEXT NOT NULL,
  job        TEXT NOT NULL,
  executions INTEGER NOT NULL,
  PRIMARY KEY (workspace, job)
) WITHOUT ROWID;

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
  recorder   TEXT,
  PRIMARY KEY (execution, name)
) WITHOUT ROWID;
CREATE INDEX tasks_by_time ON tasks (execution, created_at, position);
-- What recorders still run, or left behind.
CREATE INDEX tasks_held ON tasks (recorder) WHERE recorder IS NOT NULL AND ended_at IS NULL;
CREATE INDEX tasks_open ON tasks (execution) WHERE ended_at IS NULL;

CREATE TABLE definitions (
  name TEXT PRIMARY KEY,
  body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE runs (
  seq        INTEGER PRIMARY KEY,        -- order of insertion, which breaks ties of time
  id         TEXT NOT NULL UNIQUE,
  task       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at   INTEGER,
  status     TEXT NOT NULL,
  end_reason TEXT,
  exit_code  INTEGER NOT NULL DEFAULT 0,
  body       TEXT NOT NULL,
  word       TEXT GENERATED ALWAYS AS (coalesce(end_reason, status)) VIRTUAL,
  duration   INTEGER GENERATED ALWAYS AS (ended_at - started_at) VIRTUAL
);
CREATE INDEX runs_by_time ON runs (created_at, seq);
CREATE INDEX runs_by_start ON runs (started_at, created_at, seq);
CREATE INDEX runs_by_word ON runs (word, created_at, seq);
CREATE INDEX runs_by_exit ON runs (exit_code, created_at, seq);
CREATE INDEX runs_by_duration ON runs (duration, created_at, seq);
CREATE INDEX runs_of_task_by_time ON runs (task, created_at, seq);
CREATE INDEX runs_of_task_by_start ON runs (task, started_at, created_at, seq);
CREATE INDEX runs_of_task_by_word ON runs (task, word, created_at, seq);
CREATE INDEX runs_of_task_by_exit ON runs (task, exit_code, created_at, seq);
CREATE INDEX runs_of_task_by_duration ON runs (task, duration, created_at, seq);

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
  INSERT INTO tallies VALUES (NEW.workspace, NEW.parent, 1)
  ON CONFLICT (workspace, job) DO UPDATE SET executions = executions + 1;
END;

CREATE TRIGGER execution_deleted AFTER DELETE ON executions
BEGIN
  DELETE FROM tasks WHERE execution = OLD.key;
  UPDATE tallies SET executions = executions - 1 WHERE workspace = OLD.workspace AND job = OLD.job;
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

-- Counts as another system gave them, for an execution whose tasks are not listed here, or whose attempts are not.
CREATE TRIGGER execution_counted AFTER INSERT ON events WHEN NEW.kind = 'execution.stats'
BEGIN
  UPDATE executions SET
    total = coalesce(json_extract(NEW.body, '$.total'), total),
    success = coalesce(json_extract(NEW.body, '$.success'), success),
    failure = coalesce(json_extract(NEW.body, '$.failure'), failure),
    running = coalesce(json_extract(NEW.body, '$.running'), running),
    cancelled = coalesce(json_extract(NEW.body, '$.cancelled'), cancelled),
    retried = coalesce(json_extract(NEW.body, '$.retried'), retried),
    updated_at = NEW.at
  WHERE workspace = NEW.workspace AND job = NEW.parent AND id = NEW.name;
END;

CREATE TRIGGER task_scheduled AFTER INSERT ON events WHEN NEW.kind = 'task.scheduled'
BEGIN
  INSERT INTO tasks (execution, position, name, created_at, updated_at, status, spec, recorder)
  SELECT key, tasks, NEW.name, NEW.at, NEW.at, NEW.status, NEW.body, NEW.recorder
  FROM executions WHERE workspace = NEW.workspace AND id = NEW.parent;
  UPDATE executions SET tasks = tasks + 1, total = total + 1, updated_at = NEW.at
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
