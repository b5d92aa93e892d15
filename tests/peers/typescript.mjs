// What tests/peers/test_typescript.py runs: a session with the server, by either TypeScript SDK.
// `given` holds its arguments; the last line that it prints is the result.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";

const [{ sdk, transport, target, era, work }] = given;

async function classes() {
  if (sdk === "v2") {
    const { StdioClientTransport } = await import("@modelcontextprotocol/client/stdio");
    return { ...(await import("@modelcontextprotocol/client")), StdioClientTransport };
  }
  const folder = "@modelcontextprotocol/sdk/client";
  const names = ["index.js", "sse.js", "stdio.js", "streamableHttp.js"];
  return Object.assign({}, ...(await Promise.all(names.map((name) => import(`${folder}/${name}`)))));
}

async function connected() {
  const { Client, SSEClientTransport, StdioClientTransport, StreamableHTTPClientTransport } = await classes();
  const client = new Client({ name: "acceptance", version: "1" }, { versionNegotiation: { mode: era } });
  const how = {
    http: () => new StreamableHTTPClientTransport(new URL(target)),
    sse: () => new SSEClientTransport(new URL(target)),
    stdio: () => new StdioClientTransport(target),
  };
  await client.connect(how[transport]());
  return client;
}

// The older SDK takes the shape of the result before the options.
const call = (client, name, given, options) =>
  client.callTool({ name, arguments: given }, ...(sdk === "v2" ? [options] : [undefined, options]));

async function everything(client, { prompts, addresses, templates, execution }) {
  const found = {
    server: client.getServerVersion(),
    instructions: client.getInstructions(),
    tools: (await client.listTools()).tools.map((tool) => tool.name),
    prompts: (await client.listPrompts()).prompts.map((prompt) => prompt.name),
    resources: (await client.listResources()).resources.map((resource) => resource.uri),
    templates: (await client.listResourceTemplates()).resourceTemplates.map((one) => one.uriTemplate),
    filled: {},
    contents: {},
    pages: [],
    progress: [],
  };
  for (const [name, given] of Object.entries(prompts)) {
    found.filled[name] = (await client.getPrompt({ name, arguments: given })).messages[0].content.text;
  }
  for (const uri of addresses) found.contents[uri] = (await client.readResource({ uri })).contents[0].text;
  let cursor;
  do {
    const answer = await call(client, "list_jobs", cursor ? { cursor } : { limit: 7 });
    found.pages.push(answer.structuredContent.items.map((item) => item.name));
    cursor = answer.structuredContent.cursor;
  } while (cursor);
  const options = { onprogress: ({ progress }) => found.progress.push(progress) };
  await call(client, "list_tasks", { ...execution, status: "failed", limit: 100 }, options);
  found.failed = await call(client, "get_job", { job: "nigthly-etl" });
  const ref = { type: "ref/resource", uri: templates.find((uri) => uri.includes("{job}")) };
  const asked = { ref, argument: { name: "job", value: "nightly" }, context: { arguments: { source: "embedded" } } };
  found.completed = (await client.complete(asked)).completion.values;
  return found;
}

// A call whose upstream never answers, given up by the client.
async function cancelled(client, { port, waits }) {
  const upstream = createServer().listen(port, "127.0.0.1");
  const controller = new AbortController();
  const answer = call(client, "list_runs", {}, { signal: controller.signal });
  const [request] = await once(upstream, "request");
  const dropped = once(request.socket, "close", { signal: AbortSignal.timeout(15_000) });
  controller.abort("no longer needed");
  const found = { error: await answer.then(() => null, String) };
  if (waits) found.dropped = await dropped.then(() => true, () => false);
  else dropped.catch(() => {});
  found.tools = (await client.listTools()).tools.length;
  upstream.closeAllConnections();
  upstream.close();
  return found;
}

// What an update is registered by: its name, or in the older SDK its schema.
async function update() {
  if (sdk === "v2") return "notifications/resources/updated";
  return (await import("@modelcontextprotocol/sdk/types.js")).ResourceUpdatedNotificationSchema;
}

// An execution that ends while the client watches it.
async function watched(client, { recorder: { command, args, env } }) {
  const recorder = spawn(command, args, { env, stdio: ["pipe", "ignore", "inherit"] });
  let execution;
  while (!execution) {
    const answer = await call(client, "list_executions", { job: "watched", limit: 1 });
    execution = answer.structuredContent?.items?.[0];
  }
  const uri = `jobtrail://embedded/executions/${execution.id}?job=watched`;
  const kind = await update();
  const told = new Promise((resolve) => client.setNotificationHandler(kind, ({ params }) => resolve(params.uri)));
  if (era === "auto") await client.listen({ resourceSubscriptions: [uri] });
  else await client.subscribeResource({ uri });
  const read = async () => (await client.readResource({ uri })).contents[0].text;
  const before = await read();
  recorder.stdin.end();
  return { uri, before, told: await told, after: await read() };
}

const client = await connected();
const result = await { everything, cancelled, watched }[work.name](client, work);
await client.close();
console.log(JSON.stringify(result));
process.exit(0);
