/** As much of a browser as the client needs to be tried out in node. */

export function installBrowser() {
  const state = {
    /** What fetch answers, in order: a Response, or an error that it throws. */
    answers: [],
    requests: [],
    sockets: [],
    reset() {
      state.answers.length = 0;
      state.requests.length = 0;
      state.sockets.length = 0;
      localStorage.clear();
    },
  };
  const kept = new Map();
  const put = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  put("localStorage", {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, String(value)),
    removeItem: (key) => void kept.delete(key),
    key: (index) => [...kept.keys()][index] ?? null,
    get length() {
      return kept.size;
    },
    clear: () => kept.clear(),
  });
  put("fetch", async (url, options) => {
    state.requests.push({ url, options: structuredClone({ ...options, signal: undefined }) });
    const answer = state.answers.shift();
    if (!answer) throw new Error(`nothing to answer to ${url}`);
    if (answer instanceof Error) throw answer;
    return answer;
  });
  let queue = Promise.resolve();
  put("navigator", { locks: { request: (_name, work) => (queue = queue.then(work, work)) } });
  put("BroadcastChannel", Channel);
  const hearers = new EventTarget();
  put("addEventListener", (...given) => hearers.addEventListener(...given));
  put("removeEventListener", (...given) => hearers.removeEventListener(...given));
  state.happens = (type, more = {}) => hearers.dispatchEvent(Object.assign(new Event(type), more));
  put("WebSocket", class extends Socket {
    constructor(url) {
      super(url);
      state.sockets.push(this);
    }
  });
  return state;
}

/** Reaches every other channel of its name, a little later. */
class Channel {
  static all = new Set();
  onmessage = null;

  constructor() {
    Channel.all.add(this);
  }

  postMessage(data) {
    for (const other of Channel.all) if (other !== this) setTimeout(() => other.onmessage?.({ data }), 5);
  }
}

class Socket {
  static OPEN = 1;
  readyState = 0;
  sent = [];

  constructor(url) {
    this.url = url;
  }

  open() {
    this.readyState = 1;
    this.onopen();
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  hear(message) {
    if (this.readyState !== 1) return;
    this.onmessage({ data: JSON.stringify(message) });
  }

  lose(code, reason = "") {
    this.readyState = 3;
    this.onclose({ code, reason });
  }

  close(code) {
    this.readyState = 3;
    this.closedWith = code;
  }
}

/** As much of a peer connection as signalling can see of it. */
export class FakePeerConnection {
  /** @type {FakePeerConnection[]} */
  static all = [];
  signalingState = "stable";
  connectionState = "new";
  localDescription = null;
  remoteDescription = null;
  restarts = 0;
  paths = 0;
  #gathered = "";
  #needed = false;

  constructor() {
    FakePeerConnection.all.push(this);
  }

  addTransceiver() {
    if (this.#needed) return;
    this.#needed = true;
    queueMicrotask(() => this.signalingState === "stable" && this.onnegotiationneeded?.());
  }

  found(path) {
    this.#gathered += ` ${path}`;
    this.localDescription = { ...this.localDescription, sdp: this.localDescription.sdp + this.#gathered };
  }

  async setLocalDescription() {
    const type = this.signalingState === "have-remote-offer" ? "answer" : "offer";
    this.localDescription = { type, sdp: `${type} of mine` };
    this.signalingState = type === "offer" ? "have-local-offer" : "stable";
  }

  async setRemoteDescription(description) {
    if (description.type === "answer" && this.signalingState !== "have-local-offer") throw new Error("InvalidStateError");
    this.remoteDescription = description;
    this.signalingState = description.type === "offer" ? "have-remote-offer" : "stable";
  }

  async addIceCandidate() {
    this.paths += 1;
  }

  restartIce() {
    this.restarts += 1;
  }

  close() {
    this.signalingState = "closed";
  }
}

/** Give the client these peer connections. */
export function installPeerConnections() {
  Object.assign(globalThis, { RTCPeerConnection: FakePeerConnection, MediaStream: class {} });
}
