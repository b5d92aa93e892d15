/* How the board reaches Jobtrail: through an MCP Apps host, or from the page that `jobtrail board` serves.
   Both offer call(tool, arguments, signal), which answers the structured part or throws the tool's own sentence. */

const PROTOCOL = "2026-01-26";
const CALL_MS = 70_000;
const HELLO_MS = 10_000;

class ToolError extends Error {}

function answerOf(result) {
  const blocks = Array.isArray(result?.content) ? result.content : [];
  const text = blocks
    .filter((block) => block.type === "text")
    .map((block) => block.text)
    .join("\n");
  if (result?.isError) throw new ToolError(text || "the tool failed and did not say why");
  if (!result?.structuredContent)
    throw new ToolError("the host passed this answer on without its structured part, so it can only be read as text");
  return joined(result.structuredContent);
}

/* An answer with whole rows: it says once, under `common`, what all of them have in common. */
function joined({ common, ...answer }) {
  for (const name of ["items", "causes", "buckets", "lines", "tasks"])
    if (common && answer[name]) answer[name] = answer[name].map((row) => ({ ...common, ...row }));
  return answer;
}

/* JSON-RPC with the window that holds this frame (MCP Apps, io.modelcontextprotocol/ui). */
class HostBridge {
  #next = 1;
  #waiting = new Map();
  #host = window.parent;

  constructor(heard) {
    this.heard = heard; // name of a notification or request -> what to do
    this.capabilities = {};
    this.context = {};
    window.addEventListener("message", (event) => {
      if (event.source === this.#host && event.data?.jsonrpc === "2.0") this.#take(event.data);
    });
  }

  async open() {
    const hello = await this.#request(
      "ui/initialize",
      {
        appInfo: { name: "jobtrail-board", title: "Jobtrail board", version: "1" },
        appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
        protocolVersion: PROTOCOL,
      },
      HELLO_MS,
    );
    this.capabilities = hello.hostCapabilities ?? {};
    this.context = hello.hostContext ?? {};
    this.notify("ui/notifications/initialized", {});
  }

  get canCall() {
    return Boolean(this.capabilities.serverTools);
  }

  async call(name, args, signal) {
    return answerOf(await this.#request("tools/call", { name, arguments: args }, CALL_MS, signal));
  }

  fullScreen() {
    return this.#request("ui/request-display-mode", { mode: "fullscreen" }, HELLO_MS);
  }

  notify(method, params) {
    this.#host.postMessage({ jsonrpc: "2.0", method, params }, "*");
  }

  #request(method, params, limit, signal) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const end = (settle, value) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", stop);
        this.#waiting.delete(id);
        settle(value);
      };
      const giveUp = (reason, error) => {
        this.notify("notifications/cancelled", { requestId: id, reason });
        end(reject, error);
      };
      const stop = () => giveUp("no longer wanted", signal.reason);
      const timer = setTimeout(
        () => giveUp("no answer in time", new ToolError(`the host did not answer ${method} in ${limit / 1000} s`)),
        limit,
      );
      signal?.addEventListener("abort", stop);
      this.#waiting.set(id, {
        resolve: (value) => end(resolve, value),
        reject: (error) => end(reject, error),
      });
      this.#host.postMessage({ jsonrpc: "2.0", id, method, params }, "*");
    });
  }

  #take(message) {
    if (message.method === undefined) {
      const waiting = this.#waiting.get(message.id);
      if (message.error) waiting?.reject(new ToolError(message.error.message || "the host refused"));
      else waiting?.resolve(message.result);
      return;
    }
    const known = message.method === "ping" ? () => ({}) : this.heard[message.method];
    const answer = known?.(message.params ?? {});
    if (message.id === undefined) return;
    const said = known
      ? { result: answer ?? {} }
      : { error: { code: -32601, message: `the board knows no ${message.method}` } };
    this.#host.postMessage({ jsonrpc: "2.0", id: message.id, ...said }, "*");
  }
}

/* POST to the server that this page came from; the page's own address holds the key. */
class PageBridge {
  canCall = true;
  context = {};

  async call(name, args, signal) {
    let answer;
    try {
      answer = await fetch("call", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ name, arguments: args }),
        signal: AbortSignal.any([AbortSignal.timeout(CALL_MS), ...(signal ? [signal] : [])]),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ToolError("jobtrail board does not answer; look whether it still runs, then try again");
    }
    if (!answer.ok) throw new ToolError(`jobtrail board answered ${answer.status}: ${(await answer.text()).trim()}`);
    return answerOf(await answer.json());
  }
}
