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
  key        INTEGER PRIMARY KEY,        -- the event that created it, the same whenever it is derived
  workspace  TEXT NOT NULL,
  job        TEXT NOT NULL,
  id         TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at   INTEGER,
  status     TEXT NOT NULL,
  body       TEXT NOT NULL,
  metadata   TEXT,                       -- JSON: what else its metadata holds, where that is not null
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
  metadata   TEXT,             -- JSON, likewise
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
  seq        INTEGER PRIMARY KEY,        -- the event that created it, whose order breaks ties of time
  id         TEXT NOT NULL UNIQUE,
  task       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at   INTEGER,
  status     TEXT NOT NULL,
  end_reason TEXT,
  exit_code  INTEGER NOT NULL DEFAULT 0,
  body       TEXT NOT NULL,
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
-- Pages by time, of all runs and of a task's; other orders sort. Runs that tie come in the order of insertion, so those
-- of one time are sorted by seq as an index is read backwards.
CREATE INDEX runs_by_time ON runs (created_at);
CREATE INDEX runs_of_task_by_time ON runs (task, created_at);
-- Few runs, that most questions are about.
CREATE INDEX rare_runs_by_time ON runs (created_at) WHERE word <> 'succeeded' OR failure;
CREATE INDEX rare_runs_of_task_by_time ON runs (task, created_at) WHERE word <> 'succeeded' OR failure;

-- How many runs of each task are in each state: a list says how many it has, and counting would cost more the more
-- there are.
CREATE TABLE run_tallies (
  task    TEXT    NOT NULL,
  word    TEXT    NOT NULL,
  failure INTEGER NOT NULL,
  runs    INTEGER NOT NULL,
  PRIMARY KEY (task, word, failure)
) WITHOUT ROWID;

CREATE TRIGGER run_counted AFTER INSERT ON runs
BEGIN
  INSERT INTO run_tallies VALUES (NEW.task, NEW.word, NEW.failure, 1)
  ON CONFLICT (task, word, failure) DO UPDATE SET runs = runs + 1;
END;

CREATE TRIGGER run_counted_anew AFTER UPDATE ON runs WHEN OLD.word <> NEW.word OR OLD.failure <> NEW.failure
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

CREATE TRIGGER job_defined AFTER INSERT ON events WHEN NEW.kind = 'job.defined'
BEGIN
  INSERT INTO jobs VALUES (
    NEW.workspace, NEW.name, NEW.at, NEW.at, NEW.status, json_extract(NEW.body, '$.search'), NEW.body
  )
  ON CONFLICT (workspace, name) DO UPDATE SET
    created_at = coalesce(json_extract(excluded.body, '$.created_at'), created_at),
    updated_at = excluded.updated_at, status = excluded.status, search = excluded.search, body = excluded.body;
END;

CREATE TRIGGER execution_created AFTER INSERT ON events WHEN NEW.kind = 'execution.created'
BEGIN
  INSERT INTO executions (key, workspace, job, id, created_at, updated_at, status, body)
  VALUES (NEW.seq, NEW.workspace, NEW.parent, NEW.name, NEW.at, NEW.at, NEW.status, NEW.body);
  INSERT INTO tallies VALUES (NEW.workspace, NEW.parent, 1)
  ON CONFLICT (workspace, job) DO UPDATE SET executions = executions + 1;
END;

CREATE TRIGGER execution_deleted AFTER DELETE ON executions
BEGIN
  DELETE FROM tasks WHERE execution = OLD.key;
  UPDATE tallies SET executions = executions - 1 WHERE workspace = OLD.workspace AND job = OLD.job;
  DELETE FROM tallies WHERE workspace = OLD.workspace AND job = OLD.job AND executions = 0;
END;

-- Of what another system told, the event's time is when it was last changed there. What does not follow from the
-- status and that time its body says: a key that is given, null included, takes the place of what would follow.
CREATE TRIGGER execution_changed AFTER INSERT ON events WHEN NEW.kind = 'execution.status'
BEGIN
  UPDATE executions SET
    status = NEW.status,
    updated_at = NEW.at,
    created_at = coalesce(json_extract(NEW.body, '$.created_at'), created_at),
    started_at = CASE
      WHEN json_type(NEW.body, '$.started_at') IS NOT NULL THEN json_extract(NEW.body, '$.started_at')
      WHEN NEW.status = 'running' THEN coalesce(started_at, NEW.at)
      ELSE started_at
    END,
    ended_at = CASE
      WHEN json_type(NEW.body, '$.ended_at') IS NOT NULL THEN json_extract(NEW.body, '$.ended_at')
      WHEN NEW.status IN ('succeeded', 'failed', 'cancelled', 'timeout') THEN NEW.at
    END,
    body = coalesce(json_extract(NEW.body, '$.spec'), body),
    metadata = coalesce(json_extract(NEW.body, '$.metadata'), metadata)
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

-- A task that another system told of begins as it was told, in one event: there may be very many.
CREATE TRIGGER task_scheduled AFTER INSERT ON events WHEN NEW.kind = 'task.scheduled'
BEGIN
  INSERT INTO tasks (
    execution, position, name, created_at, updated_at, started_at, ended_at,
    attempts, status, spec, conditions, metadata, recorder
  )
  SELECT key, tasks, NEW.name, NEW.at, coalesce(json_extract(NEW.body, '$.told.updated_at'), NEW.at),
    json_extract(NEW.body, '$.told.started_at'), json_extract(NEW.body, '$.told.ended_at'),
    json_extract(NEW.body, '$.told.started_at') IS NOT NULL, NEW.status, json_remove(NEW.body, '$.told'),
    json_extract(NEW.body, '$.told.conditions'), json_extract(NEW.body, '$.told.metadata'), NEW.recorder
  FROM executions WHERE workspace = NEW.workspace AND id = NEW.parent;
  UPDATE executions SET
    tasks = tasks + 1,
    total = total + 1,
    success = success + (NEW.status = 'succeeded'),
    failure = failure + (NEW.status = 'failed'),
    running = running + (NEW.status = 'running'),
    cancelled = cancelled + (NEW.status = 'cancelled'),
    updated_at = NEW.at
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
  -- The body is the conditions, or says what another system told, as it does for an execution.
  UPDATE tasks SET
    status = NEW.status,
    updated_at = NEW.at,
    created_at = coalesce(json_extract(NEW.body, '$.created_at'), created_at),
    started_at = CASE
      WHEN json_type(NEW.body, '$.started_at') IS NOT NULL THEN json_extract(NEW.body, '$.started_at')
      WHEN NEW.status = 'running' THEN coalesce(started_at, NEW.at)
      ELSE started_at
    END,
    ended_at = CASE
      WHEN json_type(NEW.body, '$.ended_at') IS NOT NULL THEN json_extract(NEW.body, '$.ended_at')
      WHEN NEW.status IN ('succeeded', 'failed', 'cancelled') THEN NEW.at
    END,
    attempts = attempts + (NEW.status = 'running' AND status <> 'running'),
    spec = coalesce(json_extract(NEW.body, '$.spec'), spec),
    conditions = CASE json_type(NEW.body)
      WHEN 'array' THEN NEW.body
      WHEN 'object' THEN coalesce(json_extract(NEW.body, '$.conditions'), conditions)
      ELSE conditions
    END,
    metadata = coalesce(json_extract(NEW.body, '$.metadata'), metadata)
  WHERE name = NEW.name
    AND execution = (SELECT key FROM executions WHERE workspace = NEW.workspace AND id = NEW.parent);
END;

CREATE TRIGGER definition_changed AFTER INSERT ON events WHEN NEW.kind = 'definition'
BEGIN
  INSERT INTO definitions VALUES (NEW.name, NEW.body) ON CONFLICT (name) DO UPDATE SET body = excluded.body;
END;

-- Likewise: each change of a run changes some of a great many indexes.
CREATE TRIGGER run_created AFTER INSERT ON events WHEN NEW.kind = 'run.created'
BEGIN
  INSERT INTO runs (seq, id, task, created_at, started_at, ended_at, status, end_reason, exit_code, body)
  VALUES (
    NEW.seq, NEW.name, NEW.parent, NEW.at,
    json_extract(NEW.body, '$.told.started_at'), json_extract(NEW.body, '$.told.ended_at'),
    coalesce(NEW.status, 'pending'), json_extract(NEW.body, '$.told.end_reason'),
    coalesce(json_extract(NEW.body, '$.told.exit_code'), 0), json_remove(NEW.body, '$.told')
  );
END;

CREATE TRIGGER run_changed AFTER INSERT ON events WHEN NEW.kind = 'run.status'
BEGIN
  UPDATE runs SET
    status = NEW.status,
    created_at = coalesce(json_extract(NEW.body, '$.created_at'), created_at),
    body = coalesce(json_extract(NEW.body, '$.run'), body),
    started_at = CASE
      WHEN json_type(NEW.body, '$.started_at') IS NOT NULL THEN json_extract(NEW.body, '$.started_at')
      WHEN NEW.status = 'running' THEN coalesce(started_at, NEW.at)
      ELSE started_at
    END,
    ended_at = CASE
      WHEN json_type(NEW.body, '$.ended_at') IS NOT NULL THEN json_extract(NEW.body, '$.ended_at')
      WHEN NEW.status = 'ended' THEN NEW.at
    END,
    end_reason = json_extract(NEW.body, '$.end_reason'),
    exit_code = coalesce(json_extract(NEW.body, '$.exit_code'), 0)
  WHERE id = NEW.name;
END;
