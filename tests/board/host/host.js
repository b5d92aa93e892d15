// A minimal MCP Apps host: the official bridge and the official client, over Streamable HTTP, and a sandbox of two
// frames as the specification describes it. Tests drive it through `window.host`.
import { AppBridge, PostMessageTransport, getToolUiResourceUri } from "@modelcontextprotocol/ext-apps/app-bridge";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const INFO = { name: "test-host", version: "1" };

class Host {
  calls = []; // what the board asked for
  sizes = [];
  stubs = {}; // tool -> (arguments, how often it was called) => result, or undefined to ask the server
  told = []; // what the board said of itself

  async open({ tool, args = {}, context = {}, canCall = true, result = null, sandbox = "allow-scripts", pace = "" }) {
    this.client = new Client(INFO);
    await this.client.connect(new StreamableHTTPClientTransport(new URL("/mcp", location.href)));
    const found = (await this.client.listTools()).tools.find((one) => one.name === tool);
    const [resource] = (await this.client.readResource({ uri: getToolUiResourceUri(found) })).contents;
    // How often the board looks again lies in its document, outside of what its policy holds fast.
    const html = pace ? resource.text.replace('content="5 30"', `content="${pace}"`) : resource.text;
    this.resource = { mimeType: resource.mimeType, meta: resource._meta };
    const frame = document.createElement("iframe");
    frame.sandbox = sandbox;
    frame.src = document.querySelector("meta[name=sandbox]").content;
    // No client: `call` sits between, so that a test can see each call and stand in for an answer.
    this.bridge = new AppBridge(null, INFO, canCall ? { serverTools: {} } : {}, {
      hostContext: {
        theme: "light",
        displayMode: "inline",
        availableDisplayModes: ["inline", "fullscreen"],
        toolInfo: { tool: found },
        ...context,
      },
    });
    document.getElementById("frames").append(frame);
    this.bridge.addEventListener("sandboxready", () =>
      this.bridge.sendSandboxResourceReady({ html, sandbox }),
    );
    this.bridge.addEventListener("sizechange", (size) => {
      this.sizes.push(size);
      frame.style.height = `${size.height}px`;
    });
    this.bridge.onrequestdisplaymode = async ({ mode }) => {
      this.told.push(mode);
      return { mode };
    };
    const ready = new Promise((resolve) => this.bridge.addEventListener("initialized", resolve));
    if (canCall) this.bridge.oncalltool = (params) => this.call(params);
    await this.bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
    await ready;
    this.app = this.bridge.getAppVersion();
    await this.bridge.sendToolInput({ arguments: args });
    await this.bridge.sendToolResult(result ?? (await this.client.callTool({ name: tool, arguments: args })));
  }

  call({ name, arguments: args }) {
    const before = this.calls.filter((one) => one.name === name).length;
    this.calls.push({ name, args });
    return this.stubs[name]?.(args, before) ?? this.client.callTool({ name, arguments: args });
  }
}

window.host = new Host();
