// The server: what runs, and frames as this page asks for them.

const AHEAD = 2; // Frames asked for before the last one is drawn, so that the way there and back costs no rate.
const RETRY_MS = 1500;
const ANSWER_MS = 5000;
const SILENCE_MS = 4000; // The server says something each second; a cable that was pulled says nothing.

class Unauthorised extends Error {}

/** What runs; throws Unauthorised where the token is missing or wrong. */
async function fetchInfo(token) {
  const headers = token ? { Authorization: `Bearer ${encodeHeader(token)}` } : {};
  const response = await fetch("/info", { headers, signal: AbortSignal.timeout(ANSWER_MS) });
  if (response.status === 401) throw new Unauthorised();
  if (!response.ok) throw new Error((await response.text()).trim());
  return response.json();
}

/**
 * One source's frames, sought again when lost. `handlers`: info(what runs) and live each time that the server lets this
 * page in, frame(message), which may be async, and status; full(what runs), refused and lost before each new try;
 * unauthorised, after which there is none.
 */
export class Connection {
  constructor(source, token, handlers) {
    this.source = source;
    this.token = token;
    this.handlers = handlers;
    this.held = false;
    this.owed = 0;
    this.closed = false;
    this.socket = null;
    this.open();
  }

  /** Ask what runs, and join: a WebSocket that is refused does not tell the page why, an answer does. */
  async open() {
    let info;
    try {
      info = await fetchInfo(this.token);
    } catch (error) {
      if (this.closed) return;
      return error instanceof Unauthorised ? this.handlers.unauthorised() : this.again(this.handlers.lost);
    }
    if (this.closed) return;
    if (info.full) return this.again(() => this.handlers.full(info));
    this.handlers.info(info);
    this.join();
  }

  join() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const protocols = ["clipdepth", ...(this.token ? [`token.${base64url(this.token)}`] : [])];
    const socket = new WebSocket(`${scheme}://${location.host}/live/${this.source}`, protocols);
    let work = Promise.resolve();
    let heard = Date.now();
    let joined = false;
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.owed = 0;
    const leave = () => {
      clearInterval(watch);
      if (this.closed || socket !== this.socket) return;
      this.socket = null;
      this.again(joined ? this.handlers.lost : this.handlers.refused);
    };
    const watch = setInterval(() => {
      if (Date.now() - heard < SILENCE_MS) return;
      leave();
      socket.close();
    }, 1000);
    socket.onopen = () => {
      joined = true;
      this.handlers.live();
      for (let i = 0; i < AHEAD; i++) this.ask();
    };
    socket.onmessage = ({ data }) => {
      heard = Date.now();
      if (socket !== this.socket) return;
      if (typeof data === "string") return this.handlers.status(JSON.parse(data));
      work = work.then(() => this.take(socket, data)).catch((error) => console.error(error));
    };
    socket.onclose = leave;
  }

  again(tell) {
    tell();
    setTimeout(() => this.closed || this.open(), RETRY_MS);
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
    else if (this.socket?.readyState === WebSocket.OPEN) this.socket.send("next");
  }

  hold(held) {
    this.held = held;
    if (held) return;
    for (; this.owed > 0; this.owed--) this.ask();
  }

  close() {
    this.closed = true;
    this.socket?.close();
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
