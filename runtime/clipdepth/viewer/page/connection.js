// The server: what runs, and frames as this page asks for them.

const AHEAD = 2; // Frames asked for before the last one is drawn, so that the way there and back costs no rate.
const RETRY_MS = 1500;

export class Unauthorised extends Error {}

/** What runs; throws Unauthorised where the token is missing or wrong. */
export async function fetchInfo(token) {
  const headers = token ? { Authorization: `Bearer ${encodeHeader(token)}` } : {};
  const response = await fetch("/info", { headers });
  if (response.status === 401) throw new Unauthorised();
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

/** One source's frames, sought again when lost. `handlers`: frame(message) may be async, status, live, lost. */
export class Connection {
  constructor(source, token, handlers) {
    this.source = source;
    this.token = token;
    this.handlers = handlers;
    this.held = false;
    this.owed = 0;
    this.closed = false;
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const protocols = ["clipdepth", ...(this.token ? [`token.${base64url(this.token)}`] : [])];
    const socket = new WebSocket(`${scheme}://${location.host}/live/${this.source}`, protocols);
    let work = Promise.resolve();
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.owed = 0;
    socket.onopen = () => {
      this.handlers.live();
      for (let i = 0; i < AHEAD; i++) this.ask();
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") return this.handlers.status(JSON.parse(data));
      work = work.then(() => this.take(socket, data)).catch((error) => console.error(error));
    };
    socket.onclose = () => {
      if (this.closed || socket !== this.socket) return;
      this.handlers.lost();
      setTimeout(() => this.closed || this.open(), RETRY_MS);
    };
  }

  async take(socket, data) {
    if (socket !== this.socket || this.closed) return;
    try {
      if (!this.held) await this.handlers.frame(data);
    } finally {
      if (socket === this.socket) this.ask();
    }
  }

  /** Ask for one more frame, now or when no longer on hold. */
  ask() {
    if (this.held) this.owed += 1;
    else if (this.socket.readyState === WebSocket.OPEN) this.socket.send("next");
  }

  hold(held) {
    this.held = held;
    if (held) return;
    for (; this.owed > 0; this.owed--) this.ask();
  }

  close() {
    this.closed = true;
    this.socket.close();
  }
}

function bytesOf(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/** Headers hold bytes; the server expects UTF-8. */
const encodeHeader = bytesOf;

function base64url(text) {
  return btoa(bytesOf(text)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
