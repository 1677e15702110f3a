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

/** A sound or a picture. */
export class FakeTrack extends EventTarget {
  enabled = true;

  constructor(kind) {
    super();
    this.kind = kind;
  }
}

class FakeMediaStream {
  #tracks;

  constructor(tracks = []) {
    this.#tracks = new Set(tracks);
  }

  getTracks() {
    return [...this.#tracks];
  }

  getAudioTracks() {
    return this.getTracks().filter(({ kind }) => kind === "audio");
  }

  getVideoTracks() {
    return this.getTracks().filter(({ kind }) => kind === "video");
  }

  addTrack(track) {
    this.#tracks.add(track);
  }

  removeTrack(track) {
    this.#tracks.delete(track);
  }
}

class FakeTransceiver {
  mid = null;
  currentDirection = null;
  #direction;

  constructor(kind, { track = null, direction = "sendrecv", sendEncodings, changed = () => undefined }) {
    this.sender = { track, replaceTrack: async (other) => void (this.sender.track = other) };
    this.receiver = { track: new FakeTrack(kind), getStats: async () => this.receiver.stats, stats: new Map() };
    this.sendEncodings = sendEncodings;
    this.changed = changed;
    this.#direction = direction;
  }

  get direction() {
    return this.#direction;
  }

  set direction(direction) {
    if (direction === this.#direction) return;
    this.#direction = direction;
    this.changed();
  }

  setCodecPreferences(codecs) {
    this.codecs = codecs.map(({ mimeType }) => mimeType);
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
  #transceivers = [];

  constructor() {
    FakePeerConnection.all.push(this);
  }

  addTransceiver(trackOrKind, init = {}) {
    const track = typeof trackOrKind === "string" ? null : trackOrKind;
    const transceiver = new FakeTransceiver(track?.kind ?? trackOrKind, { track, changed: () => this.#need(), ...init });
    this.#transceivers.push(transceiver);
    this.#need();
    return transceiver;
  }

  addTrack(track) {
    return this.addTransceiver(track).sender;
  }

  getTransceivers() {
    return [...this.#transceivers];
  }

  getReceivers() {
    return this.#transceivers.map(({ receiver }) => receiver);
  }

  async getStats() {
    return new Map();
  }

  found(path) {
    this.#gathered += ` ${path}`;
    this.localDescription = { ...this.localDescription, sdp: this.localDescription.sdp + this.#gathered };
  }

  becomes(state) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  async setLocalDescription() {
    const type = this.signalingState === "have-remote-offer" ? "answer" : "offer";
    if (type === "offer") this.#needed = false;
    const sections = this.#transceivers.map((transceiver, index) => {
      transceiver.mid ??= String(index);
      return `m=${transceiver.receiver.track.kind} 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:${transceiver.mid}\r\na=${transceiver.direction}\r\n`;
    });
    this.localDescription = { type, sdp: `${type} of mine\r\n${sections.join("")}` };
    this.#becomes(type === "offer" ? "have-local-offer" : "stable");
  }

  async setRemoteDescription(description) {
    if (description.type === "answer" && this.signalingState !== "have-local-offer") throw new Error("InvalidStateError");
    this.remoteDescription = description;
    if (description.type === "offer") this.#makeRoom(description.sdp);
    this.#becomes(description.type === "offer" ? "have-remote-offer" : "stable");
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

  /** For each section of an offer that is new. */
  #makeRoom(sdp) {
    for (const [, kind, mid] of sdp.matchAll(/^m=(\w+)[^]*?^a=mid:(\S+)/gm)) {
      if (this.#transceivers.some((each) => each.mid === mid)) continue;
      this.#transceivers.push(Object.assign(new FakeTransceiver(kind, { direction: "recvonly" }), { mid }));
    }
  }

  #becomes(state) {
    this.signalingState = state;
    this.#negotiate();
  }

  #need() {
    this.#needed = true;
    queueMicrotask(() => this.#negotiate());
  }

  #negotiate() {
    if (!this.#needed || this.signalingState !== "stable") return;
    this.#needed = false;
    this.onnegotiationneeded?.();
  }
}

const CODECS = ["video/H264", "video/VP8", "video/rtx", "video/AV1"].map((mimeType) => ({ mimeType }));

/** Give the client these peer connections. */
export function installPeerConnections() {
  Object.assign(globalThis, {
    RTCPeerConnection: FakePeerConnection,
    MediaStream: FakeMediaStream,
    RTCRtpReceiver: { getCapabilities: () => ({ codecs: CODECS }) },
  });
}
